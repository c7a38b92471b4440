//! What the simulator holds: tenants by host, communities, codes, and what was asked of it.

mod records;

use crate::behaviour::{Behaviour, Fault, SubjectForm};
use crate::chance;
use crate::config::{ALL_METHODS, ClientConfig, CommunityConfig, Config, UserConfig};
use crate::keys::{KeyError, KeyRing};
pub use records::{Asked, Code, CodeRefusal, OpenPage, TokenCall, User};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use subtle::ConstantTimeEq;

/// Most token calls remembered.
const MAX_CALLS: usize = 1000;
/// Most codes and open pages held per community.
const MAX_OPEN: usize = 10_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Everything.
pub struct State {
    tenants: Vec<Tenant>,
    /// Code the authorize page accepts.
    pub demo_code: String,
    strict_users: bool,
    calls: Mutex<VecDeque<TokenCall>>,
}

struct Tenant {
    dns: Option<String>,
    communities: BTreeMap<String, Arc<Community>>,
}

/// A community at run time.
pub struct Community {
    /// Name.
    pub name: String,
    /// Signing keys.
    pub keys: KeyRing,
    configured: Behaviour,
    behaviour: Mutex<Behaviour>,
    clients: Mutex<BTreeMap<String, Client>>,
    users: Vec<UserConfig>,
    codes: Mutex<HashMap<String, Code>>,
    open: Mutex<HashMap<String, OpenPage>>,
}

struct Client {
    secret: String,
    /// Old secret and when it ends.
    previous: Option<(String, i64)>,
    redirect_uris: Vec<String>,
}

impl State {
    /// Builds the state and makes the keys.
    pub fn new(config: &Config) -> Result<Self, KeyError> {
        let mut tenants = Vec::new();
        for tenant in &config.tenants {
            let mut communities = BTreeMap::new();
            for community in &tenant.communities {
                communities.insert(community.name.clone(), Arc::new(Community::new(community)?));
            }
            tenants.push(Tenant {
                dns: tenant.dns.as_deref().map(str::to_ascii_lowercase),
                communities,
            });
        }
        Ok(Self {
            tenants,
            demo_code: config.demo_code.clone(),
            strict_users: config.strict_users,
            calls: Mutex::default(),
        })
    }

    /// The community for a `Host` header and a name.
    pub fn community(&self, host: &str, name: &str) -> Option<Arc<Community>> {
        self.tenant(host)?.communities.get(name).cloned()
    }

    /// All communities of a host.
    pub fn communities(&self, host: &str) -> Vec<Arc<Community>> {
        self.tenant(host)
            .map(|tenant| tenant.communities.values().cloned().collect())
            .unwrap_or_default()
    }

    fn tenant(&self, host: &str) -> Option<&Tenant> {
        let host = host.to_ascii_lowercase();
        self.tenants
            .iter()
            .find(|tenant| tenant.dns.as_deref() == Some(&host))
            .or_else(|| self.tenants.iter().find(|tenant| tenant.dns.is_none()))
    }

    /// A user of a community; `None` when users are strict and this one is not listed.
    pub fn user(&self, community: &Community, username: &str) -> Option<User> {
        let listed = community.users.iter().find(|user| user.username == username);
        if listed.is_none() && self.strict_users {
            return None;
        }
        let email = listed.and_then(|user| user.email.clone()).unwrap_or_else(|| {
            if username.contains('@') {
                username.to_owned()
            } else {
                format!("{username}@example.com")
            }
        });
        let methods = listed.and_then(|user| user.methods.clone());
        Some(User {
            username: username.to_owned(),
            email,
            methods: methods.unwrap_or_else(|| ALL_METHODS.map(str::to_owned).to_vec()),
        })
    }

    /// Remembers a token call.
    pub fn remember(&self, call: TokenCall) {
        let mut calls = lock(&self.calls);
        if calls.len() == MAX_CALLS {
            calls.pop_front();
        }
        calls.push_back(call);
    }

    /// Token calls, oldest first.
    pub fn calls(&self) -> Vec<TokenCall> {
        lock(&self.calls).iter().cloned().collect()
    }

    /// Forgets token calls.
    pub fn forget_calls(&self) {
        lock(&self.calls).clear();
    }
}

impl Community {
    fn new(config: &CommunityConfig) -> Result<Self, KeyError> {
        let client = |client: &ClientConfig| {
            (
                client.id.clone(),
                Client {
                    secret: client.secret.clone(),
                    previous: None,
                    redirect_uris: client.redirect_uris.clone(),
                },
            )
        };
        Ok(Self {
            name: config.name.clone(),
            keys: KeyRing::new(config.algorithm)?,
            configured: config.behaviour.clone(),
            behaviour: Mutex::new(config.behaviour.clone()),
            clients: Mutex::new(config.clients.iter().map(client).collect()),
            users: config.users.clone(),
            codes: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// The switches as they are.
    pub fn behaviour(&self) -> Behaviour {
        lock(&self.behaviour).clone()
    }

    /// Replaces the switches; `None` goes back to the configuration.
    pub fn set_behaviour(&self, behaviour: Option<Behaviour>) {
        *lock(&self.behaviour) = behaviour.unwrap_or_else(|| self.configured.clone());
    }

    /// Whether there is such a client.
    pub fn has_client(&self, client_id: &str) -> bool {
        lock(&self.clients).contains_key(client_id)
    }

    /// Whether a client may return to this address, which is not the community's own.
    pub fn returns_to(&self, client_id: &str, redirect_uri: &str) -> bool {
        lock(&self.clients)
            .get(client_id)
            .is_some_and(|client| client.redirect_uris.iter().any(|known| known == redirect_uri))
    }

    /// Whether these credentials are right now.
    pub fn client_is(&self, client_id: &str, secret: &str) -> bool {
        let equal = |known: &str| bool::from(known.as_bytes().ct_eq(secret.as_bytes()));
        lock(&self.clients).get(client_id).is_some_and(|client| {
            let previous = client
                .previous
                .as_ref()
                .filter(|(_, until)| chance::now_unix_s() < *until);
            equal(&client.secret) || previous.is_some_and(|(old, _)| equal(old))
        })
    }

    /// The secret of a client, for the fault that signs with it.
    pub fn client_secret(&self, client_id: &str) -> Option<String> {
        lock(&self.clients)
            .get(client_id)
            .map(|client| client.secret.clone())
    }

    /// Gives a client a new secret; false when there is no such client.
    pub fn rotate_secret(&self, client_id: &str, secret: &str, overlap_s: i64) -> bool {
        let mut clients = lock(&self.clients);
        let Some(client) = clients.get_mut(client_id) else {
            return false;
        };
        let old = std::mem::replace(&mut client.secret, secret.to_owned());
        client.previous = (overlap_s > 0).then(|| (old, chance::now_unix_s().saturating_add(overlap_s)));
        true
    }

    /// Issues a code.
    pub fn issue(&self, asked: Asked, user: User, method: String, faults: Vec<Fault>) -> String {
        let now = chance::now_unix_s();
        let session_age_s = if asked.fresh {
            0
        } else {
            asked
                .session_age_s
                .or(self.behaviour().session_age_s)
                .unwrap_or(0)
        };
        let code = Code {
            asked,
            user,
            method,
            authenticated_at_unix_s: now - session_age_s,
            faults,
            issued_at_unix_s: now,
            used: false,
        };
        let text = chance::token();
        let mut codes = lock(&self.codes);
        if codes.len() >= MAX_OPEN {
            codes.retain(|_, code| code.issued_at_unix_s + 3600 > now);
        }
        codes.insert(text.clone(), code);
        text
    }

    /// Looks at a code without using it.
    pub fn peek(&self, code: &str) -> Option<Code> {
        lock(&self.codes).get(code).cloned()
    }

    /// Uses a code up. Whoever presents a code spends it, whatever comes of it.
    pub fn redeem(&self, code: &str) -> Result<Code, CodeRefusal> {
        let lifetime_s = self.behaviour().code_lifetime_s;
        let mut codes = lock(&self.codes);
        let found = codes.get_mut(code).ok_or(CodeRefusal::Unknown)?;
        if std::mem::replace(&mut found.used, true) {
            return Err(CodeRefusal::Used);
        }
        if chance::now_unix_s() >= found.issued_at_unix_s.saturating_add(lifetime_s) {
            return Err(CodeRefusal::Expired);
        }
        Ok(found.clone())
    }

    /// Keeps what an authorize page was opened for; returns its handle.
    pub fn open_page(&self, asked: Asked) -> String {
        let now = chance::now_unix_s();
        let handle = chance::token();
        let mut open = lock(&self.open);
        if open.len() >= MAX_OPEN {
            open.retain(|_, page| page.expires_at_unix_s > now);
        }
        open.insert(
            handle.clone(),
            OpenPage {
                asked,
                wrong: 0,
                expires_at_unix_s: now + 900,
            },
        );
        handle
    }

    /// An open page.
    pub fn page(&self, handle: &str) -> Option<OpenPage> {
        lock(&self.open)
            .get(handle)
            .filter(|page| page.expires_at_unix_s > chance::now_unix_s())
            .cloned()
    }

    /// Counts a wrong entry and returns how many there were.
    pub fn wrong_entry(&self, handle: &str) -> u8 {
        lock(&self.open).get_mut(handle).map_or(u8::MAX, |page| {
            page.wrong = page.wrong.saturating_add(1);
            page.wrong
        })
    }

    /// Closes a page; false when it was closed already.
    pub fn close_page(&self, handle: &str) -> bool {
        lock(&self.open).remove(handle).is_some()
    }

    /// `sub` of a user.
    pub fn subject(&self, user: &User) -> String {
        match self.behaviour().subject {
            SubjectForm::Username => user.username.clone(),
            SubjectForm::Email => user.email.clone(),
            SubjectForm::Opaque => {
                let hash = hex::encode(Sha256::digest(format!("{}\0{}", self.name, user.username)));
                format!(
                    "{}-{}-4{}-8{}-{}",
                    &hash[..8],
                    &hash[8..12],
                    &hash[13..16],
                    &hash[17..20],
                    &hash[20..32]
                )
            }
        }
    }
}
