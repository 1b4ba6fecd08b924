//! Forms as a browser reads them out of a page and sends them.

use url::form_urlencoded::Serializer;

use crate::browser::{Browser, Page};

/// A form with what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    action: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Page {
    /// The form of a button.
    #[track_caller]
    pub(crate) fn form(&self, button: &str) -> Form {
        let forms = self.body.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap());
        let mut of_button = forms.filter(|form| text_of(form).contains(button));
        let form = of_button.next().unwrap_or_else(|| panic!("no form has {button}: {}", self.body));
        let mut fields = Vec::new();
        for (at, _) in form.match_indices('<') {
            let tag = form[at..].split('>').next().unwrap();
            let rest = &form[at + tag.len() + 1..];
            let Some(name) = attribute(tag, "name") else { continue };
            let value = match tag.split_whitespace().next().unwrap() {
                "<input" if tag.contains("type=\"checkbox\"") && !tag.contains(" checked") => continue,
                "<input" | "<button" => attribute(tag, "value").unwrap_or_default(),
                "<textarea" => unescape(rest.split("</textarea>").next().unwrap().trim_start_matches('\n')),
                "<select" => {
                    let options = rest.split("</select>").next().unwrap();
                    let selected = options.split("<option").find(|option| option.contains(" selected"));
                    selected.and_then(|option| attribute(option, "value")).unwrap_or_default()
                }
                _ => continue,
            };
            fields.push((name, value));
        }
        Form { action: attribute(form.split('>').next().unwrap(), "action").unwrap(), fields }
    }

    /// What people see, without the tags.
    pub(crate) fn text(&self) -> String {
        text_of(self.body.split_once("<main").map_or(self.body.as_str(), |(_, main)| main))
    }
}

impl Form {
    /// Type something, or check a box.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Uncheck a box.
    #[track_caller]
    pub(crate) fn without(mut self, name: &str) -> Self {
        let before = self.fields.len();
        self.fields.retain(|(known, _)| known != name);
        assert!(self.fields.len() < before, "{name} is not checked");
        self
    }

    /// By a button that sends it elsewhere.
    pub(crate) fn to(self, action: &str) -> Self {
        Self { action: action.to_owned(), ..self }
    }

    /// What a field holds.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Send it.
    pub(crate) async fn send(&self, browser: &Browser) -> Page {
        let body = Serializer::new(String::new()).extend_pairs(&self.fields).finish();
        browser.post(&self.action, &body).await
    }

    /// Send it, and follow where that leads.
    pub(crate) async fn done(&self, browser: &Browser) -> Page {
        let page = self.send(browser).await;
        browser.get(&page.location()).await
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\"")).or_else(|| tag.split_once(&format!("{name}=\"")))?;
    Some(unescape(rest.split('"').next()?))
}

fn text_of(html: &str) -> String {
    let html = ["</dt>", "</dd>", "</th>", "</td>"].iter().fold(html.to_owned(), |html, end| html.replace(end, " "));
    let parts = html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    unescape(&parts.collect::<String>()).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unescape(text: &str) -> String {
    let plain = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    plain.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}
