//! What the box asks its name service for, by HTTP. All that matters is signed, so `http://` does, too.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::claim::{self, Claiming, Factory, Outcome, Wanted};
use super::record::{Held, Service};
use crate::fetch::{Answer, Client, HttpUrl, Request, fetch};
use crate::reactor::Reactor;
use crate::registration::{BoxKey, Cancel, Label, Nonce, Release, Signature, Statement};
use crate::sys::random;

/// The time, and whom it is told to.
pub(super) type TrustSigned<'t> = &'t dyn Fn(Duration);

/// The way to name services.
pub(super) struct Reach {
    pub(super) reactor: Rc<Reactor>,
    pub(super) client: Rc<Client>,
}

/// What came of a packet that was posted.
pub(super) enum PacketAnswer {
    Packet(Vec<u8>),
    Silence,
    Failed(String),
}

impl Reach {
    /// Claims a name: the time of day, where certificates need one and it is not known; a nonce; the claim.
    pub(super) async fn claim(
        &self,
        wanted: Wanted,
        key: &BoxKey,
        factory: Option<&Factory>,
        trust: Option<TrustSigned<'_>>,
    ) -> Outcome {
        let service = wanted.service.clone();
        if let Some(trust) = trust {
            match self.time(&service).await {
                Ok(time) => trust(time),
                Err(why) => log::info!("the time of day by the name service: {why}"),
            }
        }
        let nonce = match self.nonce(&service).await {
            Ok(nonce) => nonce,
            Err(why) => return Outcome::Later(why),
        };
        let (claiming, body) = match Claiming::begin(wanted, key, factory, nonce) {
            Ok(begun) => begun,
            Err(why) => return Outcome::Later(why),
        };
        match self.post(&service, "v1/claim", "application/json", &body).await {
            Ok(answer) => claiming.finish(answer.status, &answer.body),
            Err(why) => Outcome::Later(why),
        }
    }

    /// The time of day since 1970, signed. Asked for without TLS, which would need it.
    pub(super) async fn time(&self, service: &Service) -> Result<Duration, String> {
        let nonce = fresh().map_err(|e| format!("no randomness for a nonce: {e}"))?;
        let path = format!("v1/time?nonce={}", claim::encoded(&nonce.0));
        let plain = plain(&service.url);
        let answer = self.get(&plain, &path).await?;
        let time = claim::signed_time(&service.public(), nonce, &answer.body);
        time.map(Duration::from_secs).ok_or_else(|| {
            format!("{plain} does not sign the time with the key that this box trusts (setting 'ddns-key')")
        })
    }

    async fn nonce(&self, service: &Service) -> Result<Nonce, String> {
        let answer = self.get(&service.url, "v1/nonce").await?;
        let nonce = claim::nonce(&answer.body).filter(|_| answer.status == 200);
        nonce.ok_or_else(|| claim::problem(answer.status, &answer.body))
    }

    /// Says that a name is not to be moved to another box.
    pub(super) async fn cancel(&self, held: &Held, name: &Label, key: &BoxKey) -> Result<(), String> {
        let nonce = self.nonce(&held.service).await?;
        let signature = Cancel { zone: &held.zone, name, nonce }.sign(key);
        self.signed(held, name, "v1/cancel", (nonce, &signature, None)).await
    }

    /// Gives a name up.
    pub(super) async fn release(
        &self,
        held: &Held,
        name: &Label,
        key: &BoxKey,
        erase: bool,
    ) -> Result<(), String> {
        let nonce = self.nonce(&held.service).await?;
        let signature = Release { zone: &held.zone, name, nonce, erase }.sign(key);
        self.signed(held, name, "v1/release", (nonce, &signature, Some(erase))).await
    }

    async fn signed(
        &self,
        held: &Held,
        name: &Label,
        path: &str,
        (nonce, signature, erase): (Nonce, &Signature, Option<bool>),
    ) -> Result<(), String> {
        let body = claim::signed_body(&held.zone, name, nonce, signature, erase);
        let answer = self.post(&held.service, path, "application/json", &body).await?;
        if answer.status == 200 { Ok(()) } else { Err(claim::problem(answer.status, &answer.body)) }
    }

    /// Where the service is going to be.
    pub(super) async fn moved(&self, service: &Service, zone: &str) -> Result<Service, String> {
        let answer = self.get(&service.url, &format!("v1/moved?zone={zone}")).await?;
        claim::moved(&service.public(), zone, &answer.body)
            .ok_or_else(|| "the name service says that it moves, and does not sign where to".into())
    }

    /// Sends a heartbeat's packet.
    pub(super) async fn beat(&self, service: &Service, packet: &[u8]) -> PacketAnswer {
        match self.post(service, "v1/beat", "application/octet-stream", packet).await {
            Ok(Answer { status: 200, body, .. }) => PacketAnswer::Packet(body),
            Ok(Answer { status: 204, .. }) => PacketAnswer::Silence,
            Ok(answer) => PacketAnswer::Failed(claim::problem(answer.status, &answer.body)),
            Err(why) => PacketAnswer::Failed(why),
        }
    }

    async fn get(&self, service: &str, path: &str) -> Result<Answer, String> {
        let url = url(service, path)?;
        self.ask(Request { method: "GET", url: &url, headers: &[], body: &[] }).await
    }

    async fn post(&self, service: &Service, path: &str, kind: &str, body: &[u8]) -> Result<Answer, String> {
        let url = url(&service.url, path)?;
        let headers = [("Content-Type", kind)];
        self.ask(Request { method: "POST", url: &url, headers: &headers, body }).await
    }

    async fn ask(&self, request: Request<'_>) -> Result<Answer, String> {
        Box::pin(fetch(&self.reactor, &self.client, request)).await.map_err(|why| why.to_string())
    }
}

fn url(service: &str, path: &str) -> Result<HttpUrl, String> {
    HttpUrl::parse(service).and_then(|url| url.join(path)).map_err(|why| format!("name service: {why}"))
}

/// Where the same service is asked without TLS: at port 80.
fn plain(service: &str) -> String {
    let Some(rest) = service.strip_prefix("https://") else { return service.into() };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let digits = authority.rfind(':').filter(|at| authority[at + 1..].bytes().all(|b| b.is_ascii_digit()));
    format!("http://{}{path}", &authority[..digits.unwrap_or(authority.len())])
}

fn fresh() -> io::Result<Nonce> {
    let mut nonce = Nonce([0; 16]);
    random::fill(&mut nonce.0)?;
    Ok(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_asked_for_without_tls() {
        for (service, same) in [
            ("https://names.example", "http://names.example"),
            ("https://names.example:8443/stb", "http://names.example/stb"),
            ("https://[2001:db8::1]:8443", "http://[2001:db8::1]"),
            ("https://[2001:db8::a]", "http://[2001:db8::a]"),
            ("http://names.example:8080", "http://names.example:8080"),
        ] {
            assert_eq!(plain(service), same);
        }
    }
}
