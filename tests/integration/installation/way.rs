//! A way to the database that can be cut, as a network is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

/// A way to the database that can be cut.
pub(crate) struct Way {
    open: Arc<AtomicBool>,
    cut: std::sync::Mutex<CancellationToken>,
    /// The database through it.
    pub(crate) url: String,
}

impl Way {
    pub(crate) async fn to(database_url: &str) -> Arc<Self> {
        let mut url = Url::parse(database_url).expect("a URL");
        let target = format!("127.0.0.1:{}", url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        url.set_port(Some(port)).expect("a URL with a port");
        let way = Arc::new(Self {
            open: Arc::new(AtomicBool::new(true)),
            cut: std::sync::Mutex::default(),
            url: url.to_string(),
        });
        let passing = Arc::clone(&way);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (target, cut) = (target.clone(), passing.cut.lock().unwrap().clone());
                if !passing.open.load(Ordering::Relaxed) {
                    continue;
                }
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(target).await.expect("the database");
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        () = cut.cancelled() => {}
                    }
                });
            }
        });
        way
    }

    /// Cuts it: connections end, and further ones are not made.
    pub(crate) fn cut(&self) {
        self.open.store(false, Ordering::Relaxed);
        self.cut.lock().unwrap().cancel();
    }

    /// Opens it again.
    pub(crate) fn mend(&self) {
        *self.cut.lock().unwrap() = CancellationToken::new();
        self.open.store(true, Ordering::Relaxed);
    }
}
