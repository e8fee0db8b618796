//! A provider of dynamic DNS on loopback, and a page that says where somebody comes from.

#![allow(dead_code, unreachable_pub, reason = "each test program uses a part of it")]

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tiny_http::{Response, Server};

/// Runs until it is dropped.
pub struct Provider {
    server: Arc<Server>,
    serving: Option<JoinHandle<()>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub url: String,
    pub authorization: Option<String>,
    pub agent: Option<String>,
}

impl Provider {
    /// `answer` gives status and body for a path; `/ip` says that everybody comes from 1.2.3.4.
    pub fn start(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").expect("a port is free"));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (serves, notes) = (Arc::clone(&server), Arc::clone(&asked));
        let serving = std::thread::spawn(move || {
            for request in serves.incoming_requests() {
                let field = |name: &'static str| {
                    let field = request.headers().iter().find(|field| field.field.equiv(name));
                    field.map(|field| field.value.to_string())
                };
                let url = request.url().to_owned();
                let (status, body) = match &*url {
                    "/ip" => (200, "<html>Current IP Address: 1.2.3.4</html>".to_owned()),
                    other => {
                        let (authorization, agent) = (field("Authorization"), field("User-Agent"));
                        let seen = Asked { url: url.clone(), authorization, agent };
                        notes.lock().expect("nobody panics with it").push(seen);
                        answer(other)
                    }
                };
                let _asker_may_be_gone =
                    request.respond(Response::from_string(body).with_status_code(status));
            }
        });
        Self { server, serving: Some(serving), asked }
    }

    /// `http://address:port`
    pub fn origin(&self) -> String {
        format!("http://{}", self.server.server_addr())
    }

    /// The requests for what begins with `path`, so far.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.asked.lock().expect("nobody panics with it");
        asked.iter().filter(|asked| asked.url.starts_with(path)).cloned().collect()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.unblock();
        if let Some(serving) = self.serving.take() {
            let _ended = serving.join();
        }
    }
}
