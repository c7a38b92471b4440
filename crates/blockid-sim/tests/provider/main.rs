//! The client crate against the running simulator: discovery, step-up, exchange, verification; every
//! switch and every fault with the exact outcome.

#[cfg(test)]
mod command;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod egress;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod page;
#[cfg(test)]
mod preflight;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod sign_in;
