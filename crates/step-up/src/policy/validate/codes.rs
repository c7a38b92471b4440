//! Every code a finding can have. The text form is stable: portals translate by it.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        $($(#[doc = $doc])+ pub const $name: &str = $code;)+

        /// Every code with its meaning, in the order of the documentation.
        pub const ALL: &[(&str, &str)] = &[$(($code, concat!($($doc,)+)),)+];
    };
}

codes! {
    /// The document is not in the current schema version.
    SCHEMA_VERSION = "schema_version",
    /// The stored form of the document is too large for its item.
    DOCUMENT_TOO_LARGE = "document_too_large",
    /// More rules than allowed.
    TOO_MANY_RULES = "too_many_rules",
    /// A rule without an id.
    RULE_ID_EMPTY = "rule_id_empty",
    /// Two rules with one id.
    RULE_ID_DUPLICATE = "rule_id_duplicate",
    /// A rule that is called like the default.
    RULE_ID_RESERVED = "rule_id_reserved",
    /// An id that is too long or has other characters than letters, digits, `.`, `_`, `-`, `:`.
    RULE_ID_MALFORMED = "rule_id_malformed",
    /// A description, reason or value is too long.
    TEXT_TOO_LONG = "text_too_long",
    /// A condition is nested too deeply.
    CONDITION_TOO_DEEP = "condition_too_deep",
    /// A condition has too many parts.
    CONDITION_TOO_LARGE = "condition_too_large",
    /// A list of values is empty.
    LIST_EMPTY = "list_empty",
    /// A list of values is too long.
    LIST_TOO_LONG = "list_too_long",
    /// A value that is compared with is empty.
    VALUE_EMPTY = "value_empty",
    /// An attribute name that Cognito cannot have.
    ATTRIBUTE_MALFORMED = "attribute_malformed",
    /// Warning: neither a standard attribute of Cognito nor a custom one.
    ATTRIBUTE_UNKNOWN = "attribute_unknown",
    /// A condition rests on an attribute that the user can write.
    ATTRIBUTE_USER_WRITABLE = "attribute_user_writable",
    /// Not a domain name.
    EMAIL_DOMAIN_MALFORMED = "email_domain_malformed",
    /// Warning: the rule trusts an e-mail address without asking whether it is verified.
    EMAIL_NOT_VERIFIED = "email_not_verified",
    /// Not an app id.
    APP_ID_MALFORMED = "app_id_malformed",
    /// Not an action name.
    ACTION_MALFORMED = "action_malformed",
    /// Warning: the rule names an action, and the app has no action step-up.
    ACTION_STEP_UP_OFF = "action_step_up_off",
    /// The rule's condition can never hold.
    RULE_NEVER_MATCHES = "rule_never_matches",
    /// An earlier rule holds whenever this one does.
    RULE_UNREACHABLE = "rule_unreachable",
    /// Warning: a rule always holds, so the default never does.
    DEFAULT_UNREACHABLE = "default_unreachable",
    /// Warning: the default asks for no step-up.
    DEFAULT_NOT_REQUIRED = "default_not_required",
    /// No reason is given why no step-up is asked for.
    REASON_EMPTY = "reason_empty",
    /// A rule for actions asks for no step-up; an action is stepped up for or refused.
    ACTION_WITHOUT_STEP_UP = "action_without_step_up",
    /// Warning: an action that comes to this rule is refused, because it asks for no step-up.
    ACTION_REFUSED_HERE = "action_refused_here",
    /// No method is offered.
    METHODS_EMPTY = "methods_empty",
    /// More methods than allowed.
    METHODS_TOO_MANY = "methods_too_many",
    /// A method is offered twice.
    METHOD_DUPLICATE = "method_duplicate",
    /// A method that neither the shipped catalogue nor the tenant's has.
    METHOD_UNKNOWN = "method_unknown",
    /// The tenant's method map is not learned: only a rule that accepts any shipped method can be kept.
    METHODS_NOT_LEARNED = "methods_not_learned",
    /// None of the methods has been recorded in a pilot step-up, so none would be recognised.
    METHODS_NOT_OBSERVED = "methods_not_observed",
    /// Warning: this method was not recorded in a pilot step-up; a step-up with it would be refused.
    METHOD_NOT_OBSERVED = "method_not_observed",
    /// The provider answers alike for this method and for one that the rule does not accept.
    METHOD_AMBIGUOUS = "method_ambiguous",
    /// Warning: the provider did not return the nonce in this method's pilot step-up; a rule that binds by nonce refuses it.
    NONCE_NOT_RETURNED = "nonce_not_returned",
    /// Warning: this method is offered, and a step-up with it can never satisfy the rule.
    METHOD_TOO_WEAK = "method_too_weak",
    /// Warning: SMS is a restricted authenticator (SP 800-63B, 5.2.10).
    METHOD_RESTRICTED = "method_restricted",
    /// `min_aal` is 1, 2 or 3.
    AAL_OUT_OF_RANGE = "aal_out_of_range",
    /// No offered method reaches the level.
    AAL_UNREACHABLE = "aal_unreachable",
    /// No offered method is phishing-resistant, or none that is reaches the level.
    PHISHING_RESISTANCE_UNREACHABLE = "phishing_resistance_unreachable",
    /// The provider's page may be framed by anybody: the authenticator resists phishing, the flow does not.
    FRAME_ANCESTORS_NOT_LIMITED = "frame_ancestors_not_limited",
    /// `min_ial` is 1, 2 or 3.
    IAL_OUT_OF_RANGE = "ial_out_of_range",
    /// No offered method proves the identity level.
    IAL_UNREACHABLE = "ial_unreachable",
    /// Warning: proofing takes longer than the challenge stays open.
    PROOFING_TIME_SHORT = "proofing_time_short",
    /// The step-up is only the channel by which the password is reset.
    STEP_UP_IS_RESET_CHANNEL = "step_up_is_reset_channel",
    /// `attempts` is 1, 2 or 3.
    ATTEMPTS_OUT_OF_RANGE = "attempts_out_of_range",
    /// A rule that can match an action allows at most 2 attempts.
    ATTEMPTS_TOO_MANY_FOR_ACTION = "attempts_too_many_for_action",
    /// The challenge would close before anybody could answer.
    CHALLENGE_OPEN_TOO_SHORT = "challenge_open_too_short",
    /// The app's session validity can only be shortened.
    CHALLENGE_OPEN_TOO_LONG = "challenge_open_too_long",
    /// `max_age_min` is out of Cognito's range.
    MAX_AGE_OUT_OF_RANGE = "max_age_out_of_range",
    /// Warning: under 60 minutes the app gets no refresh.
    MAX_AGE_NO_REFRESH = "max_age_no_refresh",
    /// Warning: rules differ in `max_age_min`; the smallest decides for the whole app.
    MAX_AGE_DIFFERS = "max_age_differs",
    /// Warning: without a nonce only `state` ties the answer to the challenge.
    BINDING_STATE_ONLY = "binding_state_only",
    /// The attribute that names the user to BlockID, or the linked e-mail, can be written by the user.
    LINK_USER_WRITABLE = "link_user_writable",
}
