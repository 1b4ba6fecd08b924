//! One request to Graph: a first one of our own, or a link that Graph has given.

use serde_json::Value;
use url::Url;

use crate::clouds::Place;

/// One request to Graph.
pub(crate) struct Ask<'a> {
    /// Where.
    pub(crate) url: Url,
    /// Headers beside those that every request has.
    pub(crate) headers: &'a [(&'static str, &'static str)],
    /// The stored link that is asked, if it is one.
    pub(crate) link: Option<&'a str>,
    /// JSON that is posted; without it this is a `GET`.
    pub(crate) body: Option<Vec<u8>>,
    /// Doing it twice is not doing it once: it is tried again only where Graph has certainly done nothing.
    pub(crate) once: bool,
    /// A 403 or a 404 is an answer like any other, and no trouble.
    pub(crate) may_lack: bool,
}

impl Ask<'_> {
    /// A first request of its own.
    pub(crate) fn new(
        place: &Place,
        path: &[&str],
        query: Option<&str>,
        headers: &'static [(&'static str, &'static str)],
    ) -> Self {
        let mut url = place.graph.at(&["v1.0"]);
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.extend(path);
        }
        url.set_query(query);
        Self { url, headers, link: None, body: None, once: false, may_lack: false }
    }

    /// The same, posting this.
    pub(crate) fn post(mut self, body: &Value) -> Self {
        self.body = Some(body.to_string().into_bytes());
        self
    }

    /// Whether this goes on with a round that has begun (`$skiptoken`), rather than beginning one.
    pub(crate) fn is_inside_a_round(&self) -> bool {
        self.link.is_some_and(|link| link.to_ascii_lowercase().contains("skiptoken"))
    }
}
