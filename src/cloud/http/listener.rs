//! Listening sockets, and a task per connection.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::time::Duration;

use async_io::{Async, Timer};
use futures_rustls::TlsAcceptor;
use smol::LocalExecutor;
use smol::future::FutureExt;

use super::door::Doors;
use super::{Peer, Reply, Request, serve};

/// A handshake of TLS is done within this.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// When no socket is left, the next is tried for after this.
const BREATH: Duration = Duration::from_millis(100);

/// A socket that listens.
pub(in crate::cloud) struct Listening {
    socket: Async<TcpListener>,
    tls: Option<TlsAcceptor>,
}

impl Listening {
    /// Binds.
    pub(in crate::cloud) fn at(address: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        Ok(Self { socket: Async::<TcpListener>::bind(address)?, tls })
    }

    /// Where it listens.
    pub(in crate::cloud) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.get_ref().local_addr()
    }
}

/// Takes connections for ever; `proxies` speak for others.
pub(in crate::cloud) async fn accept_all<A, F>(
    listening: Listening,
    executor: Rc<LocalExecutor<'static>>,
    (doors, proxies): (Rc<Doors>, Rc<[std::net::IpAddr]>),
    answer: Rc<A>,
) where
    A: Fn(Request) -> F + 'static,
    F: Future<Output = Reply> + 'static,
{
    loop {
        let (stream, address) = match listening.socket.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                log::debug!("accept: {e}");
                Timer::after(BREATH).await;
                continue;
            }
        };
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let is_proxy = proxies.contains(&address.ip());
        // A proxy's connections are many people's.
        let place = if is_proxy { None } else { doors.enter(address.ip()) };
        if !is_proxy && place.is_none() {
            continue;
        }
        let (tls, answer) = (listening.tls.clone(), Rc::clone(&answer));
        let peer = Peer { address, is_private: tls.is_some(), is_proxy };
        executor
            .spawn(async move {
                Box::pin(converse(stream, tls, peer, answer)).await;
                drop(place);
            })
            .detach();
    }
}

async fn converse<A, F>(stream: Async<TcpStream>, tls: Option<TlsAcceptor>, peer: Peer, answer: Rc<A>)
where
    A: Fn(Request) -> F + 'static,
    F: Future<Output = Reply> + 'static,
{
    let _slower = stream.get_ref().set_nodelay(true);
    let Some(tls) = tls else { return serve(stream, peer, answer).await };
    let late = async {
        Timer::after(HANDSHAKE).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    match tls.accept(stream).or(late).await {
        Ok(stream) => serve(stream, peer, answer).await,
        Err(e) => log::debug!("TLS with a client: {e}"),
    }
}
