//! A token endpoint of Google's, for the keys of service accounts and as the metadata server of a machine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A token endpoint, which remembers what it gave.
#[derive(Clone, Debug)]
pub struct TokenEndpoint {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

/// What the endpoint does about a request.
#[derive(Clone, Copy, Debug)]
pub enum Gives {
    /// A token that lives so long.
    Tokens(Duration),
    /// The answer 401, which quotes the request.
    Refusals,
    /// The end of the connection.
    Nothing,
    /// No answer, ever.
    Silence,
    /// Text where a token should be, with a token in it.
    Nonsense,
}

#[derive(Debug)]
struct State {
    gives: Gives,
    tokens: Vec<(String, Instant)>,
    assertions: Vec<String>,
}

/// Asked of a metadata server besides.
const PROJECT: &str = "/computeMetadata/v1/project/project-id";

impl TokenEndpoint {
    /// One that gives tokens for an hour.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Self {
            address: listener.local_addr().unwrap(),
            state: Arc::new(Mutex::new(State {
                gives: Gives::Tokens(Duration::from_hours(1)),
                tokens: Vec::new(),
                assertions: Vec::new(),
            })),
        };
        endpoint.serve(listener);
        endpoint
    }

    /// From now on it listens here too.
    pub async fn also_at(&self, address: &str) -> std::io::Result<()> {
        self.serve(TcpListener::bind(address).await?);
        Ok(())
    }

    fn serve(&self, listener: TcpListener) {
        let endpoint = self.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let endpoint = endpoint.clone();
                tokio::spawn(async move { endpoint.answer(connection).await });
            }
        });
    }

    /// The address of its tokens, for the key files of service accounts.
    pub fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// What it does from now on.
    pub fn give(&self, gives: Gives) {
        self.state.lock().unwrap().gives = gives;
    }

    /// From now on no token that it gave is valid.
    pub fn revoke(&self) {
        let now = Instant::now();
        for (_, ends) in &mut self.state.lock().unwrap().tokens {
            *ends = now;
        }
    }

    /// How many tokens it gave.
    pub fn given(&self) -> usize {
        self.state.lock().unwrap().tokens.len()
    }

    pub(crate) fn is_valid(&self, header: &str) -> bool {
        let now = Instant::now();
        let state = self.state.lock().unwrap();
        let mut tokens = state.tokens.iter();
        tokens.any(|(token, ends)| now < *ends && header == format!("Bearer {token}"))
    }

    /// What no log may hold.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        // Their beginnings are secret too.
        let tokens = ["ya29".to_owned()].into_iter();
        tokens.chain(state.assertions.iter().cloned()).collect()
    }

    async fn answer(&self, connection: TcpStream) -> Option<()> {
        let mut connection = BufReader::new(connection);
        let (path, body) = request(&mut connection).await?;
        let assertion = body.split("assertion=").nth(1).map(str::to_owned);
        let (gives, number) = {
            let mut state = self.state.lock().unwrap();
            state.assertions.extend(assertion);
            (state.gives, state.tokens.len() + 1)
        };
        let token = format!("ya29.number-{number}");
        let (status, answer) = match gives {
            Gives::Tokens(_) if path == PROJECT => ("200 OK", "test-project".to_owned()),
            Gives::Tokens(life) => {
                let answer = format!(
                    r#"{{"access_token": "{token}", "expires_in": {}, "token_type": "Bearer"}}"#,
                    life.as_secs()
                );
                let mut state = self.state.lock().unwrap();
                state.tokens.push((token, Instant::now() + life));
                ("200 OK", answer)
            }
            Gives::Refusals => {
                let problem = r#"{"error": "invalid_grant", "error_description": ""#;
                ("401 Unauthorized", format!("{problem}{token} {body}\"}}"))
            }
            Gives::Nothing => return None,
            Gives::Silence => std::future::pending().await,
            Gives::Nonsense => ("200 OK", format!("\"{token}\"")),
        };
        let length = answer.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}"
        );
        connection.write_all(answer.as_bytes()).await.ok()?;
        // The next request on the same connection.
        Box::pin(self.answer(connection.into_inner())).await
    }
}

/// The path and the body of a request.
async fn request(connection: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut line = String::new();
    connection.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        connection.read_line(&mut line).await.ok()?;
        let header = line.trim().to_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).await.ok()?;
    Some((path, String::from_utf8(body).ok()?))
}
