//! The box's list of channels, as a table.

use serde::Deserialize;

use super::Failure;
use super::client::Client;
use super::json::{self, List};
use super::table::table;
use super::text::Text;

#[derive(Deserialize)]
struct Channels {
    channels: List<Channel, 4096>,
}

#[derive(Deserialize)]
struct Channel {
    number: u16,
    name: Text,
    #[serde(default)]
    kind: Text,
    #[serde(default)]
    available: Text,
    #[serde(default)]
    components: List<Component, 64>,
    #[serde(default)]
    stream: Text,
}

#[derive(Deserialize)]
struct Component {
    codec: Text,
    #[serde(default)]
    language: Option<Text>,
}

/// Asks the box for its channels; what to print.
pub(super) async fn fetch(client: &Client) -> Result<String, Failure> {
    let body = client.get("/api/v1/channels").await?.body().await?;
    let Channels { channels: List(channels) } = json::read(&body).ok_or(Failure::ListUnknown)?;
    Ok(if channels.is_empty() { "The box has no channels yet.\n".to_owned() } else { lines(&channels) })
}

/// The path that the box's list has for channel `number`.
pub(super) async fn stream_path(client: &Client, number: u16) -> Option<String> {
    let body = client.get("/api/v1/channels").await.ok()?.body().await.ok()?;
    let Channels { channels: List(channels) } = json::read(&body)?;
    let stream = channels.into_iter().find(|c| c.number == number)?.stream;
    let usable =
        stream.as_str().starts_with("/live/") && stream.as_str().bytes().all(|b| b.is_ascii_graphic());
    usable.then(|| stream.as_str().to_owned())
}

fn lines(channels: &[Channel]) -> String {
    table(["NUMBER", "NAME", "KIND", "AVAILABLE", "COMPONENTS"], channels.iter().map(Channel::cells))
}

impl Channel {
    fn cells(&self) -> [Text; 5] {
        let components: Vec<_> = self.components.0.iter().map(Component::short).collect();
        [
            Text::new(&self.number.to_string()),
            self.name.clone(),
            self.kind.clone(),
            self.available.clone(),
            Text::new(&components.join(" ")),
        ]
    }
}

impl Component {
    /// `aac(chi)`.
    fn short(&self) -> String {
        match &self.language {
            Some(language) if !language.as_str().is_empty() => format!("{}({language})", self.codec),
            _ => self.codec.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Option<String> {
        json::read::<Channels>(body.as_bytes()).map(|list| lines(&list.channels.0))
    }

    #[test]
    fn the_table_is_aligned_by_columns_on_the_screen() {
        let body = r#"{"channels":[
            {"number":1,"name":"\u4e2d央一台","provider":"CCTV","kind":"tv","id":"1-2-3","scrambled":false,
             "components":[{"pid":257,"codec":"h264","language":null},{"pid":258,"codec":"aac","language":"chi"}],
             "available":"now","stream":"/live/1.ts?name=x"},
            {"number":1024,"name":"Radio","kind":"radio","components":[],"available":"tuner","new":[{"a":[1.5e3]}]}
        ],"version":2}"#;
        let expected = "\
NUMBER  NAME      KIND   AVAILABLE  COMPONENTS
     1  中央一台  tv     now        h264 aac(chi)
  1024  Radio     radio  tuner
";
        assert_eq!(read(body).unwrap(), expected);
    }

    #[test]
    fn a_list_of_another_shape_is_refused() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"channels":[{"name":"a"}]}"#,
            r#"{"channels":[{"number":70000,"name":"a"}]}"#,
        ] {
            assert!(read(body).is_none(), "{body}");
        }
    }

    #[test]
    fn nothing_in_a_list_commands_the_terminal() {
        let table = read(r#"{"channels":[{"number":1,"name":"\u001b[2J\u009b2J\nx","kind":"tv"}]}"#).unwrap();
        assert_eq!(table.lines().count(), 2);
        assert!(!table.chars().any(|c| c.is_control() && c != '\n'));
    }

    proptest::proptest! {
        #[test]
        fn any_list_is_survived(text in "\\PC{0,30}", n in 0u16..) {
            let _ = read(&format!("{{\"channels\":[{{\"number\":{n},\"name\":\"{text}\"}}]}}"));
        }
    }
}
