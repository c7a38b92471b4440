//! The state machine behind Cognito's *define auth challenge* trigger.
