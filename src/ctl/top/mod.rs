//! `top`: the daemon on a screen, live, with keys for what a person does about it.
//!
//! This module owns the loop: keys, signals, events and answers go into the [`model`], which the
//! [`view`] draws. The screen decides nothing: what is the case, why, and what helps is what the
//! daemon says. Every act is a call that a command of `tetherctl` makes too, and is shown as that
//! command.

mod keys;
mod link;
mod model;
mod request;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::error::CommandError;
use crate::output::{Output, colour_wanted};
use keys::Action;
use link::{Link, News};
use model::{Model, Overlay};
use request::{Done, Look, Request};
use terminal::{Notice, Screen, Signals};
use tetherd_api::client::Client;
use view::Theme;

/// The clocks on the screen move this often.
const TICK: Duration = Duration::from_secs(1);
/// News that wait to be drawn, and are drawn at once.
const NEWS_MAX: usize = 1_024;

/// The screen, until a person or a signal ends it.
pub(crate) async fn run(sockets: &[PathBuf], out: &Output) -> Result<(), CommandError> {
    check_terminal(out)?;
    // Says on stderr what is wrong with the time zone, while that can be read.
    out.clock();
    let link = Link::new(sockets).await?;
    let signals = Signals::register()?;
    let ended = Top::new(Screen::enter()?, out).run(link, signals).await?;
    // The terminal is the shell's again.
    if let Some(signal) = ended {
        terminal::end_by(signal)?;
    }
    Ok(())
}

fn check_terminal(out: &Output) -> Result<(), CommandError> {
    if out.json() {
        return Err(CommandError::NoTerminal(
            "top draws a screen, which has no JSON; take `tetherctl --json events`",
        ));
    }
    if !out.terminal() || !io::stdin().is_terminal() {
        return Err(CommandError::NoTerminal(
            "top draws a screen, and this is no terminal; take `tetherctl why` or `tetherctl \
             events`",
        ));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(CommandError::NoTerminal(
            "top draws a screen, and this terminal (TERM=dumb) has none; take `tetherctl why` or \
             `tetherctl events`",
        ));
    }
    Ok(())
}

/// An answer of the daemon.
enum Answer {
    Looked(Result<Look, String>),
    Done(Request, Result<Done, String>),
}

struct Top<'a> {
    screen: Screen,
    out: &'a Output,
    theme: Theme,
    model: Model,
    client: Option<Arc<Client>>,
    calls: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
}

/// What a step leads to.
enum Step {
    GoOn,
    /// Leave; by this signal, if one asked for it.
    Leave(Option<i32>),
}

impl<'a> Top<'a> {
    fn new(screen: Screen, out: &'a Output) -> Top<'a> {
        let theme = Theme { colour: colour_wanted() };
        let (model, calls) = (Model::default(), FuturesUnordered::new());
        Top { screen, out, theme, model, client: None, calls }
    }

    /// Answers the signal that ended it, if one did.
    async fn run(mut self, link: Link, mut signals: Signals) -> Result<Option<i32>, CommandError> {
        let (sender, mut news) = mpsc::channel(NEWS_MAX);
        let mut link = std::pin::pin!(link.run(sender));
        let mut keys = EventStream::new();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            self.draw()?;
            let step = tokio::select! {
                biased;
                notice = signals.next() => self.signal(notice)?,
                event = keys.next() => self.terminal(event)?,
                Some(answer) = self.calls.next(), if !self.calls.is_empty() => self.answer(answer),
                Some(one) = news.recv() => self.news(one, &mut news),
                () = &mut link => Step::Leave(None),
                _ = tick.tick() => Step::GoOn,
            };
            if let Step::Leave(signal) = step {
                return Ok(signal);
            }
            self.look();
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let clock = self.out.input_clock();
        let (model, theme) = (&self.model, self.theme);
        let mut below = 0;
        self.screen.terminal.draw(|frame| {
            let area = frame.area();
            below = view::draw(model, &clock, theme, area, frame.buffer_mut());
        })?;
        self.model.scroll_at_most(below);
        Ok(())
    }

    fn signal(&mut self, notice: Notice) -> io::Result<Step> {
        match notice {
            Notice::End(signal) => return Ok(Step::Leave(Some(signal))),
            Notice::Continued => self.screen.again()?,
        }
        Ok(Step::GoOn)
    }

    /// A key, or another size. A terminal that cannot be read is gone.
    fn terminal(&mut self, event: Option<io::Result<TerminalEvent>>) -> io::Result<Step> {
        let key = match event {
            Some(Ok(TerminalEvent::Key(key))) => key,
            Some(Ok(_)) => return Ok(Step::GoOn),
            Some(Err(error)) => return Err(error),
            None => return Ok(Step::Leave(None)),
        };
        let Some(action) = keys::action(key, &self.model) else { return Ok(Step::GoOn) };
        match action {
            Action::Quit => return Ok(Step::Leave(None)),
            Action::Suspend => self.screen.suspend()?,
            Action::Redraw => self.screen.redraw()?,
            Action::Ask(request) => self.ask(request),
            Action::Help => self.model.overlay = Overlay::Help,
            Action::Close => self.model.overlay = Overlay::None,
            Action::Select(by) => self.model.select(by),
            Action::Scroll(by) => self.model.scroll(by),
        }
        Ok(Step::GoOn)
    }

    /// What came, and what came with it: it is drawn once.
    fn news(&mut self, first: News, more: &mut mpsc::Receiver<News>) -> Step {
        let mut next = Some(first);
        for _ in 0..NEWS_MAX {
            let Some(one) = next else { break };
            match one {
                News::Connected(client) => {
                    self.client = Some(client);
                    self.model.connected();
                }
                News::Event(frame) => self.model.event(*frame),
                News::Lost(why) => {
                    self.client = None;
                    self.model.lost(why, &self.out.input_clock());
                }
            }
            next = more.try_recv().ok();
        }
        Step::GoOn
    }

    fn ask(&mut self, request: Request) {
        let Some(client) = self.client.clone() else {
            let why = String::from("there is no connection to the daemon");
            return self.model.answered(request, Err(why), &self.out.input_clock());
        };
        self.model.asked(request);
        self.calls.push(Box::pin(async move {
            let outcome = request.make(&client).await;
            Answer::Done(request, outcome)
        }));
    }

    /// Looks at everything, where it is time.
    fn look(&mut self) {
        let Some(client) = self.client.clone() else { return };
        if self.model.takes_look(&self.out.input_clock()) {
            self.calls.push(Box::pin(async move { Answer::Looked(Look::take(&client).await) }));
        }
    }

    fn answer(&mut self, answer: Answer) -> Step {
        let clock = self.out.input_clock();
        match answer {
            Answer::Looked(Ok(look)) => self.model.looked(look, &clock),
            // If the connection has ended, that is news of its own.
            Answer::Looked(Err(_)) => self.model.look_failed(&clock),
            Answer::Done(request, outcome) => self.model.answered(request, outcome, &clock),
        }
        Step::GoOn
    }
}
