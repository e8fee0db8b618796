//! Tells secondaries, and hears that they heard.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::future;

use super::{Host, random_id};
use crate::nameserver::Notifier;

/// How often it is looked whether there is something to tell: changes get a serial once a second.
const LOOK: Duration = Duration::from_millis(200);
/// Bytes of a NOTIFY and of its answer at most.
const MESSAGE_MAX: usize = 1232;

/// Sends what `notifier` has to tell, for ever.
pub async fn notify<H: Host>(host: &H, notifier: &RefCell<Notifier>) -> io::Result<Infallible> {
    let v4 = Async::<UdpSocket>::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    // A machine without IPv6 has secondaries that are reached by IPv4.
    let v6 = Async::<UdpSocket>::bind((Ipv6Addr::UNSPECIFIED, 0)).ok();
    let tell = async {
        loop {
            while let Some((to, message)) = next(host, notifier)? {
                let socket = if to.is_ipv4() { Some(&v4) } else { v6.as_ref() };
                if let Some(Err(e)) = socket.map(|socket| socket.get_ref().send_to(&message, to)) {
                    log::debug!("dns: notify {to}: {e}");
                }
            }
            Timer::after(LOOK).await;
        }
    };
    let hear_v6 = async {
        match &v6 {
            Some(v6) => hear(v6, notifier).await,
            None => future::pending().await,
        }
    };
    future::or(tell, future::or(hear(&v4, notifier), hear_v6)).await
}

fn next<H: Host>(host: &H, notifier: &RefCell<Notifier>) -> io::Result<Option<(SocketAddr, Vec<u8>)>> {
    let mut out = [0; MESSAGE_MAX];
    let (now, id) = (host.now(), random_id()?);
    let due = host.with(|server, _| notifier.borrow_mut().poll(now, server, id, &mut out));
    Ok(due.map(|(to, len)| (to, out.get(..len).unwrap_or_default().to_vec())))
}

async fn hear(socket: &Async<UdpSocket>, notifier: &RefCell<Notifier>) -> io::Result<Infallible> {
    let mut answer = [0; MESSAGE_MAX];
    loop {
        let Ok((len, from)) = socket.recv_from(&mut answer).await else {
            // An ICMP error of one that is away.
            Timer::after(LOOK).await;
            continue;
        };
        let told = notifier.borrow_mut().answered(from, answer.get(..len).unwrap_or_default());
        if let Some((zone, rcode @ 1..)) = told {
            log::warn!("dns: secondary {from} does not take zone {zone} from here: rcode {rcode}");
        }
    }
}
