//! Pushes a zone to another server by TCP, batch by batch.

use std::cell::RefCell;
use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::{Host, random_id, within};
use crate::nameserver::{Answered, Publisher};

/// How often it is looked whether there is something to push: changes get a serial once a second.
const LOOK: Duration = Duration::from_millis(200);
/// For a connection, and for the answer to a batch: the server may sign all of it.
const PATIENCE: Duration = Duration::from_secs(30);
/// Before the next try; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Pushes what `publisher` has to the server at `to`, for ever.
pub async fn publish<H: Host>(host: &H, publisher: &RefCell<Publisher>, to: SocketAddr) -> Infallible {
    let mut pause = FIRST_PAUSE;
    let mut connection = None;
    loop {
        match push(host, publisher, to, &mut connection).await {
            Ok(Pushed::Batch) => pause = FIRST_PAUSE,
            Ok(Pushed::Nothing) => _ = Timer::after(LOOK).await,
            Err(e) => {
                log::warn!("dns: publish to {to}: {e}; next try in {} s", pause.as_secs());
                publisher.borrow_mut().failed();
                connection = None;
                Timer::after(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
        }
    }
}

enum Pushed {
    Batch,
    Nothing,
}

async fn push<H: Host>(
    host: &H,
    publisher: &RefCell<Publisher>,
    to: SocketAddr,
    connection: &mut Option<Async<TcpStream>>,
) -> io::Result<Pushed> {
    let id = random_id()?;
    let now = host.now();
    let mut out = vec![0; 2 + usize::from(u16::MAX)];
    let room = out.get_mut(2..).unwrap_or_default();
    let next = host.with(|server, directory| publisher.borrow_mut().next(now, server, directory, id, room));
    let Some(length) = next.and_then(|len| u16::try_from(len).ok()) else { return Ok(Pushed::Nothing) };
    out.truncate(2 + usize::from(length));
    out.splice(..2, length.to_be_bytes());
    let mut stream = match connection.take() {
        Some(stream) => stream,
        None => within(PATIENCE, Async::<TcpStream>::connect(to)).await?,
    };
    within(PATIENCE, stream.write_all(&out)).await?;
    let mut answer = Vec::new();
    within(PATIENCE, async {
        let mut length = [0; 2];
        stream.read_exact(&mut length).await?;
        answer.resize(u16::from_be_bytes(length).into(), 0);
        stream.read_exact(&mut answer).await
    })
    .await?;
    *connection = Some(stream);
    match publisher.borrow_mut().answered(host.now(), &answer) {
        Answered::Taken => Ok(Pushed::Batch),
        Answered::Refused(rcode) => Err(io::Error::other(format!("it refuses by rcode {rcode}"))),
        Answered::NotOurs => Err(io::Error::other("its answer is not signed with the key")),
    }
}
