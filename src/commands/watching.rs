//! Runs `watch` and `replay`: turns their settings into a plan for the session and a sink.

use crate::checkpoint::CheckpointFile;
use crate::error::Error;
use crate::render::renderer::Renderer;
use crate::run::inbox::Inbox;
use crate::run::stop::Stop;
use crate::run::watching;
use crate::settings::{OutputFormat, Settings, WatchSettings};
use crate::sink::Sink;
use crate::sink::command::CommandSink;
use crate::sink::cursor::Delivery;
use crate::sink::printer::Printer;
use crate::sink::records::Records;
use crate::sink::runner::Runner;
use crate::sink::selector::Selector;
use crate::sink::until::UntilHolds;
use crate::wait::Condition;
use etcdwatch_engine::model::Scope;
use etcdwatch_engine::watch::{Budget, Plan, PlannedEnd, Start};

/// Runs a watch to its end.
///
/// # Errors
/// The reason why the run ends: a failure, a lost range, a signal or a deadline.
pub(super) fn run(watch: WatchSettings, settings: &Settings) -> Result<(), Stop> {
    let mut watch = watch;
    let requested = watch.watched.scopes(settings.api)?;
    let mut scopes = requested.clone();
    if matches!(watch.condition, Some(Condition::Exists)) {
        // With the v2 API, a new directory has no event of its own, only one for the key in it.
        scopes = scopes.into_iter().map(Scope::with_directories).collect();
    }
    let look = &watch.look;
    if settings.output == OutputFormat::Json && (look.diff || look.template.is_some()) {
        let why = "--diff and --format cannot be used with -o json";
        return Err(Error::Usage(why.to_owned()).into());
    }
    let renderer = Renderer::new(look, settings);
    let runner = watch.command.clone().map(Runner::new).transpose()?;
    let path = watch.checkpoint.as_deref();
    let opened = path
        .map(|path| CheckpointFile::open(path, &scopes))
        .transpose()?;
    let (store, earlier) = opened.map_or((None, None), |(store, earlier)| (Some(store), earlier));
    let earlier = earlier.map(|(earlier, place)| {
        // The checkpoint takes precedence over --from-index, --snapshot and --api auto.
        scopes = vec![scopes.swap_remove(place)];
        watch.start = Start::At(earlier.index.next());
        watch.snapshot = false;
        earlier
    });
    let mut inbox = Inbox::new(settings, doing(&watch), &watch.watched.name())?;
    inbox.heed_reader();
    if runner.is_some() {
        // The command may write to the same terminal.
        inbox.screen.progress.hide();
    }
    inbox.end_when_idle(watch.idle_timeout);
    let delivery = Delivery::new(store, earlier);
    let (cluster, last) = (delivery.cluster().cloned(), delivery.last().cloned());
    // The JSON that a command receives has the previous value.
    let previous = renderer.shows_previous() || watch.filter.changed || runner.is_some();
    let plan_of = |scope| Plan {
        start: watch.start,
        planned_end: watch.planned_end,
        stream: watch.stream || watch.condition.is_some(),
        previous,
        on_gap: watch.on_gap,
        snapshot: watch.snapshot || watch.condition.is_some(),
        expand: watch.expand,
        stale_after: watch.stale_after,
        cluster: cluster.clone(),
        last: last.clone(),
        budget: Budget::new(watch.buffer),
        ..watching::plan(scope, settings)
    };
    let selector = Selector::new(watch.filter.clone(), watch.count);
    let mut sink: Box<dyn Sink + '_> = if let Some(runner) = runner {
        Box::new(CommandSink::new(
            selector,
            runner,
            delivery,
            watch.status,
            settings,
        ))
    } else {
        let printer = Printer::new(renderer);
        let records = Records::new(selector, printer, delivery, watch.status, settings);
        match watch.condition.clone() {
            None => Box::new(records),
            Some(condition) => {
                let (stream, snapshot) = (watch.stream, watch.snapshot);
                Box::new(UntilHolds::new(
                    condition, records, requested, stream, snapshot,
                ))
            }
        }
    };
    watching::run(scopes, plan_of, settings, &mut inbox, sink.as_mut())
}

/// The verb on the spinner.
fn doing(watch: &WatchSettings) -> &'static str {
    match watch.planned_end {
        PlannedEnd::Forever if watch.condition.is_some() => "waiting",
        PlannedEnd::Forever => "watching",
        PlannedEnd::Present { .. } => "replaying",
    }
}
