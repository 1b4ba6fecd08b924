//! Logs: one flat JSON object a line on stdout, the fields of the spans around it included.

use std::fmt;

use serde_json::{Map, Value};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    filter::Targets,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter,
        format::{JsonFields, Writer},
        time::{FormatTime, SystemTime},
    },
    layer::SubscriberExt,
    registry::{LookupSpan, Scope},
    util::SubscriberInitExt,
};

/// Our own crates. The others never log below INFO: HTTP libraries write headers there, and so tokens.
const OURS: [&str; 11] =
    ["admin", "console", "directory", "dispatch", "engine", "entra", "mail", "platform", "report", "rotate", "sync"];

/// Start logging. The level is that of `AWS_LAMBDA_LOG_LEVEL`, else of `RUST_LOG`, else INFO. Only the first call counts.
pub fn start() {
    let variable = |name| std::env::var(name).ok();
    let level = level(variable("AWS_LAMBDA_LOG_LEVEL").or_else(|| variable("RUST_LOG")).as_deref());
    let _ = subscriber(level, std::io::stdout).try_init();
}

fn level(name: Option<&str>) -> LevelFilter {
    match name {
        Some(name) if name.eq_ignore_ascii_case("fatal") => LevelFilter::ERROR,
        Some(name) => name.parse().unwrap_or(LevelFilter::INFO),
        None => LevelFilter::INFO,
    }
}

fn subscriber<W>(level: LevelFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let targets = Targets::new().with_default(level.min(LevelFilter::INFO));
    let targets = targets.with_targets(OURS.map(|name| (name, level)));
    let lines = tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(Lines).with_writer(writer);
    tracing_subscriber::registry().with(targets).with(lines)
}

struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let formatted = extensions.get::<FormattedFields<N>>().map(|formatted| formatted.fields.as_str());
            if let Some(Ok(Value::Object(more))) = formatted.map(serde_json::from_str) {
                fields.0.extend(more);
            }
        }
        event.record(&mut fields);
        let mut timestamp = String::new();
        SystemTime.format_time(&mut Writer::new(&mut timestamp))?;
        let metadata = event.metadata();
        let Fields(mut fields) = fields;
        fields.insert("timestamp".into(), timestamp.into());
        fields.insert("level".into(), metadata.level().as_str().into());
        fields.insert("target".into(), metadata.target().into());
        writeln!(writer, "{}", Value::Object(fields))
    }
}

/// The fields of an event; what is not a number or a boolean is text.
#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().into(), format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().into(), value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().into(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LevelFilter, log: impl FnOnce()) -> Vec<Value> {
        let written = Written::default();
        let writer = written.clone();
        tracing::subscriber::with_default(subscriber(level, move || writer.clone()), log);
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_is_flat_and_holds_the_fields_of_its_spans() {
        let lines = logged(LevelFilter::INFO, || {
            let outer = tracing::info_span!("invoke", requestId = "r-1", tenant = "outer").entered();
            let inner = tracing::info_span!("run", tenant = "contoso", run = tracing::field::Empty).entered();
            inner.record("run", "01J");
            tracing::info!(changes = 3, ok = true, cause = %"a \"quoted\"\nline", "applied {} changes", 3);
            tracing::debug!("not shown");
            drop((inner, outer));
        });
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let mut line = line.as_object().unwrap().clone();
        let timestamp = line.remove("timestamp").unwrap();
        assert!(timestamp.as_str().unwrap().parse::<jiff::Timestamp>().is_ok(), "{timestamp}");
        let expected = json!({
            "level": "INFO", "message": "applied 3 changes", "target": "platform::log::tests",
            "requestId": "r-1", "tenant": "contoso", "run": "01J", "changes": 3, "ok": true,
            "cause": "a \"quoted\"\nline",
        });
        assert_eq!(Value::Object(line), expected);
    }

    #[test]
    fn other_crates_never_log_below_info() {
        let lines = logged(LevelFilter::TRACE, || {
            tracing::trace!("ours");
            tracing::debug!(target: "hyper::proto", "authorization: Bearer …");
            tracing::info!(target: "lambda_runtime", "theirs");
        });
        let messages: Vec<_> = lines.iter().map(|line| line["message"].as_str().unwrap()).collect();
        assert_eq!(messages, ["ours", "theirs"]);
    }

    #[test]
    fn levels_are_lambdas() {
        assert_eq!(level(None), LevelFilter::INFO);
        assert_eq!(level(Some("DEBUG")), LevelFilter::DEBUG);
        assert_eq!(level(Some("FATAL")), LevelFilter::ERROR);
        assert_eq!(level(Some("nonsense")), LevelFilter::INFO);
    }
}
