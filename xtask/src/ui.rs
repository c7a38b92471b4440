//! Steps with a name, a life sign and a time.
//!
//! On a terminal a running step is one line that is redrawn; elsewhere it is plain lines, one every ten seconds, so that a build
//! server's log shows that a long step lives. Colours only on a terminal, and never with `NO_COLOR`.

use std::env;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const REDRAW_EVERY: Duration = Duration::from_millis(120);
const LIFE_SIGN_EVERY: Duration = Duration::from_secs(10);
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// How a line is meant; becomes a colour on a terminal.
#[derive(Clone, Copy)]
pub(crate) enum Tone {
    Plain,
    Good,
    Bad,
    Warn,
    Dim,
    Bold,
}

/// Where steps and messages go.
#[derive(Clone)]
pub(crate) struct Ui {
    terminal: bool,
    colours: bool,
    started: Instant,
}

impl Ui {
    pub(crate) fn new() -> Self {
        let terminal = io::stdout().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb");
        let colours = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self {
            terminal,
            colours,
            started: Instant::now(),
        }
    }

    /// Prints one line.
    pub(crate) fn line(&self, tone: Tone, text: &str) {
        println!("{}", self.paint(tone, text));
    }

    /// Prints one line while a step runs.
    pub(crate) fn interject(&self, tone: Tone, text: &str) {
        let clear = if self.terminal { "\r\u{1b}[K" } else { "" };
        println!("{clear}{}", self.paint(tone, text));
    }

    /// `text` in the colour of `tone`, where colours are wanted.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Warn => "33",
            Tone::Dim => "2",
            Tone::Bold => "1",
        };
        if self.colours {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Runs `work` as a step: shown while it runs, with its time and the note it may set when it ends.
    pub(crate) fn step<T>(
        &self,
        name: &str,
        work: impl FnOnce(&Progress) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        let progress = Progress::default();
        let life = Life::show(self, name, &progress);
        let outcome = work(&progress);
        life.end();
        let time = duration(begun.elapsed());
        let note = progress.note();
        let note = if note.is_empty() {
            note
        } else {
            format!("  {}", self.paint(Tone::Dim, &note))
        };
        match &outcome {
            Ok(_) => println!("{} {name:<22} {time:>8}{note}", self.paint(Tone::Good, "ok  ")),
            Err(_) => println!("{} {name:<22} {time:>8}{note}", self.paint(Tone::Bad, "FAIL")),
        }
        outcome
    }
}

/// What a running step tells about itself.
#[derive(Clone, Default)]
pub(crate) struct Progress {
    inner: Arc<Mutex<ProgressText>>,
}

#[derive(Default)]
struct ProgressText {
    /// Shown while the step runs.
    detail: String,
    /// A log whose last line is shown while the step runs.
    log: Option<PathBuf>,
    /// Shown beside the time when the step has ended.
    note: String,
}

impl Progress {
    /// Shows `text` while the step runs.
    pub(crate) fn detail(&self, text: impl Into<String>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.detail = text.into();
        inner.log = None;
    }

    /// Shows the last line of `log` while the step runs.
    pub(crate) fn follow(&self, log: &Path) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).log = Some(log.to_owned());
    }

    /// Sets what is printed beside the time at the end.
    pub(crate) fn set_note(&self, text: impl Into<String>) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).note = text.into();
    }

    fn note(&self) -> String {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .note
            .clone()
    }

    fn now(&self) -> String {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .log
            .as_deref()
            .and_then(last_line)
            .unwrap_or_else(|| inner.detail.clone())
    }
}

/// The thread that shows that a step lives.
struct Life {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Life {
    fn show(ui: &Ui, name: &str, progress: &Progress) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (ui, name, progress) = (ui.clone(), name.to_owned(), progress.clone());
        let thread = thread::spawn(move || {
            let begun = Instant::now();
            if !ui.terminal {
                println!(
                    "     {name} ... (at {})",
                    duration(begun.duration_since(ui.started))
                );
            }
            let every = if ui.terminal {
                REDRAW_EVERY
            } else {
                LIFE_SIGN_EVERY
            };
            let mut turn = 0_usize;
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                turn += 1;
                let elapsed = duration(begun.elapsed());
                let detail = progress.now();
                if ui.terminal {
                    let spinner = SPINNER[turn % SPINNER.len()];
                    let detail: String = detail.chars().take(60).collect();
                    print!(
                        "\r\u{1b}[K {spinner}   {name:<22} {elapsed:>8}  {}",
                        ui.paint(Tone::Dim, &detail)
                    );
                    let _unwritable = io::stdout().flush();
                } else {
                    println!("     {name} still running ({elapsed}) {detail}");
                }
            }
            if ui.terminal {
                print!("\r\u{1b}[K");
                let _unwritable = io::stdout().flush();
            }
        });
        Self { stop, thread }
    }

    fn end(self) {
        let _already_gone = self.stop.send(());
        let _panicked = self.thread.join();
    }
}

/// The last line of a file that is being written, without terminal codes.
fn last_line(path: &Path) -> Option<String> {
    let text = tail_bytes(path, 600)?;
    let line = text.trim_end().rsplit(['\n', '\r']).next()?.trim();
    Some(line.chars().filter(|character| !character.is_control()).collect())
}

/// The last `lines` lines of a log, for an error message.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let text = tail_bytes(path, 32 * 1024).unwrap_or_default();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

fn tail_bytes(path: &Path, limit_bytes: u64) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(limit_bytes)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(limit_bytes).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A time as a person reads it: `0.4 s`, `59.9 s`, `2 m 05 s`, `1 h 02 m`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64().min(59.9)),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_naturally() {
        let shown = |milliseconds| duration(Duration::from_millis(milliseconds));
        assert_eq!(shown(0), "0.0 s");
        assert_eq!(shown(449), "0.4 s");
        assert_eq!(shown(59_990), "59.9 s");
        assert_eq!(shown(60_000), "1 m 00 s");
        assert_eq!(shown(125_900), "2 m 05 s");
        assert_eq!(shown(3_725_000), "1 h 02 m");
    }

    #[test]
    fn a_failed_step_hands_its_error_on() {
        let ui = Ui::new();
        let outcome: anyhow::Result<()> = ui.step("fails", |_| anyhow::bail!("because"));
        assert_eq!(outcome.unwrap_err().to_string(), "because");
    }

    #[test]
    fn the_last_line_of_a_log_is_shown_without_terminal_codes() {
        let path = env::temp_dir().join(format!("stepgate-ui-{}", std::process::id()));
        std::fs::write(&path, "first\nsecond \u{1b}line\n").unwrap();
        assert_eq!(last_line(&path).as_deref(), Some("second line"));
        assert_eq!(tail(&path, 1), "second \u{1b}line");
        assert_eq!(tail(&path, 9), "first\nsecond \u{1b}line");
        std::fs::remove_file(&path).unwrap();
    }
}
