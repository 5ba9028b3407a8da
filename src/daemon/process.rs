//! The process `tetherd`: arguments, configuration, signals, exit codes.

use std::io::Write as _;
use std::path::Path;
use std::sync::RwLock;
use std::time::Duration;

use tokio::runtime::{Handle, Runtime};
use tokio::sync::watch;

use crate::daemon::args::{Args, Command};
use crate::daemon::log::{self, LevelHandle};
use crate::daemon::malloc_tuning;
use crate::daemon::signals::{Signal, Signals};
use crate::daemon::startup_refusal::refuse_callers;
use crate::daemon::store_command;
use crate::daemon::systemd::Manager;
use crate::daemon::{Daemon, StartError};
use crate::store::Failure;
use tetherd_api::exit::ExitCode;
use tetherd_config::{Config, Environment, Loaded};

/// Threads of the session's runtime.
const SESSION_THREADS: usize = 1;
/// Threads that a start needs: the runtime's and a few that block, the database's seven, the
/// store's two.
const THREADS: usize = 20;
/// A thread's stack, in bytes, as the runtime and the database have it.
const STACK_BYTES: usize = 2 * 1024 * 1024;
/// How long the end waits for threads that still block.
const BLOCKED_TIME_MAX: Duration = Duration::from_secs(2);

/// How long the end of a daemon whose store has failed may take.
const STUCK_TIME_MAX: Duration = Duration::from_secs(30);

/// Runs the process to its end.
pub fn main() -> std::process::ExitCode {
    malloc_tuning::keep_little();
    #[cfg(feature = "sim")]
    crate::whatsapp::use_clock(crate::daemon::clock::wall_ms);
    let exit = match Args::read() {
        Ok(args) => run(&args),
        Err(exit) => never_started(exit, "Wrong arguments"),
    };
    exit.into()
}

/// The end of a start that needs a person, before the service manager's wishes were read: it
/// gets the reason, and so does everybody who waits on its socket.
fn never_started(exit: ExitCode, sentence: &str) -> ExitCode {
    if exit.needs_a_person()
        && let Ok(manager) = Manager::from_environment()
    {
        manager.notify().status(sentence);
        if let Some(listener) = manager.passed_listener() {
            refuse_callers(&listener);
        }
    }
    exit
}

fn run(args: &Args) -> ExitCode {
    let named = args.config.as_deref();
    match &args.command {
        None | Some(Command::Run) => match Config::load(named, &Environment::current()) {
            Ok(loaded) => serve(loaded, named),
            Err(error) => {
                let sentence = error.to_string();
                never_started(fail(ExitCode::Config, &sentence), &sentence)
            }
        },
        Some(Command::CheckConfig) => {
            with_config(named, |loaded| print(loaded.report().as_bytes()))
        }
        Some(Command::Store(command)) => {
            with_config(named, |loaded| store_command::run(*command, &loaded.config))
        }
        Some(Command::Completions { shell }) => print(&super::args::completions(*shell)),
        #[cfg(feature = "sim")]
        Some(Command::Demo(demo)) => match runtime() {
            Ok(runtime) => runtime.block_on(super::demo::run(demo.clone())),
            Err(error) => fail(ExitCode::Software, &format!("no runtime: {error}")),
        },
    }
}

pub(super) fn print(text: &[u8]) -> ExitCode {
    // A reader that has gone away has seen enough.
    let _ = std::io::stdout().write_all(text);
    ExitCode::Ok
}

fn with_config(named: Option<&Path>, then: impl FnOnce(Loaded) -> ExitCode) -> ExitCode {
    match Config::load(named, &Environment::current()) {
        Ok(loaded) => then(loaded),
        Err(error) => fail(ExitCode::Config, &error.to_string()),
    }
}

pub(super) fn fail(exit: ExitCode, sentence: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tetherd: {sentence}");
    exit
}

/// Everything but the session runs on the main thread: a request's way through the socket, the
/// engine and the store changes no thread.
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The session's own: its cryptography holds up no request, and a disk that is slow to sync does
/// not keep it from answering the server.
fn session_runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SESSION_THREADS)
        .thread_name("session")
        .enable_all()
        .build()
}

/// Whether the system gives so many threads at once. The runtime and the database cannot do
/// without theirs: one would panic, the other wait for ever.
fn threads_can_be_had(count: usize, stack_bytes: usize) -> std::io::Result<()> {
    let gate = RwLock::new(());
    std::thread::scope(|scope| {
        let _closed = gate.write();
        for _ in 0..count {
            let thread = std::thread::Builder::new().stack_size(stack_bytes);
            thread.spawn_scoped(scope, || drop(gate.read()))?;
        }
        Ok(())
    })
}

/// Runs to its end, and then waits only so long for threads that still block: one that reads
/// a caller's file from a filesystem which hangs returns from no read.
fn run_to_end<T>(runtime: Runtime, run: impl Future<Output = T>) -> T {
    let end = runtime.block_on(run);
    runtime.shutdown_timeout(BLOCKED_TIME_MAX);
    end
}

fn serve(loaded: Loaded, named: Option<&Path>) -> ExitCode {
    let levels = log::init(&loaded.config.log);
    std::panic::set_hook(Box::new(panicked));
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    if let Err(error) = threads_can_be_had(THREADS, STACK_BYTES) {
        tracing::error!("the system gives too few threads: {error}");
        tracing::error!(
            "remedy: raise TasksMax= of the unit, or the limit on processes (ulimit -u)"
        );
        return ExitCode::TempFail;
    }
    match runtime().and_then(|runtime| Ok((runtime, session_runtime()?))) {
        Ok((runtime, session)) => {
            let run = run_until_signalled(loaded.config, named, levels, session.handle());
            let exit = run_to_end(runtime, run);
            session.shutdown_timeout(BLOCKED_TIME_MAX);
            exit
        }
        Err(error) => fail(ExitCode::Software, &format!("no runtime: {error}")),
    }
}

async fn run_until_signalled(
    mut config: Config,
    named: Option<&Path>,
    levels: Option<LevelHandle>,
    session: &Handle,
) -> ExitCode {
    // Before the store is opened: a signal in the middle of a recovery waits for its end.
    let mut signals = match Signals::register() {
        Ok(signals) => signals,
        Err(error) => return fail(ExitCode::Software, &format!("no signal handlers: {error}")),
    };
    let manager = match Manager::from_environment() {
        Ok(manager) => manager,
        Err(error) => return refused_to_start(&error.into()),
    };
    let notify = manager.notify();
    let passed_listener = manager.passed_listener();
    let mut daemon = match Daemon::start_under(&config, manager, session).await {
        Ok(daemon) => daemon,
        Err(error) => {
            notify.status(&error.to_string());
            let exit = refused_to_start(&error);
            if let Some(listener) = passed_listener.filter(|_| exit.needs_a_person()) {
                refuse_callers(&listener);
            }
            return exit;
        }
    };
    drop(passed_listener);
    session.spawn(end_if_stuck(daemon.store_failed(), || {
        std::process::exit(ExitCode::IoErr.number().into());
    }));
    #[cfg(feature = "sim")]
    if let Err(wrong) = inject(&daemon) {
        return fail(ExitCode::Usage, &wrong);
    }
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Signal::Stop => {
                    tracing::info!("stopping: what is in flight is waited for");
                    break;
                }
                Signal::Reload => {
                    notify.reloading();
                    reload(&daemon, &mut config, named, levels.as_ref()).await;
                    notify.ready();
                }
            },
            () = daemon.ended() => break,
        }
    }
    match daemon.stop_or(told_again(&mut signals)).await {
        Ok(()) => {
            tracing::info!("stopped");
            ExitCode::Ok
        }
        Err(error) => {
            tracing::error!("{error}");
            if let Some(remedy) = error.remedy() {
                tracing::error!("remedy: {remedy}");
            }
            error.exit()
        }
    }
}

/// A disk that does not answer may hold the main thread, which would end the daemon: this ends it
/// then, and runs elsewhere.
async fn end_if_stuck(mut failed: watch::Receiver<Option<Failure>>, end: impl FnOnce()) {
    // A store that is closed ends this, too.
    if failed.wait_for(Option::is_some).await.is_ok() {
        tokio::time::sleep(STUCK_TIME_MAX).await;
        tracing::error!("the disk does not answer: the daemon ends without an orderly end");
        end();
    }
}

/// Logs where it happened and never what: a panic's message may quote texts and numbers.
fn panicked(info: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    match info.location() {
        Some(at) => tracing::error!("thread {thread} panicked at {at}"),
        None => tracing::error!("thread {thread} panicked"),
    }
}

/// Returns when somebody who has asked for the end asks again.
async fn told_again(signals: &mut Signals) {
    while signals.next().await != Signal::Stop {}
}

/// The fault that the environment asks for; see [`crate::store::InjectedFault`].
#[cfg(feature = "sim")]
fn inject(daemon: &Daemon) -> Result<(), String> {
    use crate::store::{FAULT_VARIABLE, InjectedFault};
    let Ok(text) = std::env::var(FAULT_VARIABLE) else { return Ok(()) };
    let (fault, good) = InjectedFault::parse(&text)
        .ok_or_else(|| format!("{FAULT_VARIABLE}: no such fault: {text:?}"))?;
    daemon.inject(fault, good);
    tracing::warn!("a fault is armed");
    Ok(())
}

fn refused_to_start(error: &StartError) -> ExitCode {
    tracing::error!("{error}");
    if let Some(remedy) = error.remedy() {
        tracing::error!("remedy: {remedy}");
    }
    error.exit()
}

/// Takes what a running daemon can take, and says what it cannot. A configuration that
/// is wrong changes nothing.
async fn reload(
    daemon: &Daemon,
    config: &mut Config,
    named: Option<&Path>,
    levels: Option<&LevelHandle>,
) {
    let loaded = match Config::load(named, &Environment::current()) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::warn!("the configuration is not reloaded: {error}");
            return;
        }
    };
    let diff = config.reload(&loaded.config);
    if let Some(levels) = levels {
        levels.set(&config.log);
    }
    daemon.reconfigure(config).await;
    if diff.applied.is_empty() && diff.needs_restart.is_empty() {
        tracing::info!("reloaded: nothing has changed");
    }
    if !diff.applied.is_empty() {
        tracing::info!("reloaded: {}", diff.applied.join(", "));
    }
    if !diff.needs_restart.is_empty() {
        tracing::warn!("takes a restart: {}", diff.needs_restart.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_a_failed_disk_holds_is_ended() {
        let (failed, seen) = watch::channel(None);
        let ended = std::sync::atomic::AtomicBool::new(false);
        let ending = end_if_stuck(seen, || ended.store(true, Ordering::Relaxed));
        let failing = async {
            tokio::time::sleep(Duration::from_secs(3_600)).await;
            assert!(!ended.load(Ordering::Relaxed));
            failed.send_replace(Some(Failure { what: "it hangs".into(), disk_full: false }));
        };
        tokio::join!(ending, failing);
        assert!(ended.load(Ordering::Relaxed));

        let (failed, seen) = watch::channel(None);
        drop(failed);
        end_if_stuck(seen, || panic!("nothing has failed")).await;
    }

    #[test]
    fn threads_that_cannot_be_had_are_noticed() {
        threads_can_be_had(4, STACK_BYTES).unwrap();
        // More than an address space holds.
        assert!(threads_can_be_had(4, 1 << 50).is_err());
    }

    #[test]
    fn a_thread_that_hangs_does_not_hold_up_the_end() {
        let (release, hanging) = std::sync::mpsc::sync_channel::<()>(1);
        let (ended, end) = std::sync::mpsc::sync_channel(1);
        let running = std::thread::spawn(move || {
            let run = async move {
                tokio::task::spawn_blocking(move || hanging.recv());
                7
            };
            ended.send(run_to_end(runtime().unwrap(), run)).unwrap();
        });
        // The thread hangs until the test has seen the end.
        assert_eq!(end.recv_timeout(Duration::from_secs(60)).unwrap(), 7);
        drop(release);
        running.join().unwrap();
    }
}
