//! HTTP: one operation a file under `<resource>/<verb>.rs`, its OpenAPI block beside it.
//!
//! To add an operation: a file with a handler under `#[utoipa::path]` and the method macro with the whole
//! path, and a line in [`routes`]. Handlers are thin: they read ([`extract`]), call one use case, answer
//! ([`respond`]). Document and routes come from the same registration and cannot differ; error answers and
//! security are added to the document by rule ([`document`]).
//!
//! | module | holds |
//! | --- | --- |
//! | [`extract`] | caller, path ids, paging, JSON bodies; every failure is a problem document |
//! | [`rate_limit`] | how many requests a caller may send |
//! | [`problem`] | the one error envelope (RFC 9457) and the mapping of codes to statuses |
//! | [`middleware`] | request ids, access log, panics, headers; authentication |
//! | [`document`] | the OpenAPI document |
//! | [`draining`] | a server on its way out |
//! | [`server`] | puts it together and listens |

pub mod alarms;
pub mod api_keys;
pub mod apps;
pub mod audit;
pub mod blockid;
pub mod cells;
mod csv;
mod docs;
pub mod document;
pub mod draining;
pub mod drift;
pub mod events;
pub mod exemptions;
pub mod extract;
pub mod health;
pub mod links;
pub mod methods;
pub mod metrics;
pub mod middleware;
pub mod operations;
pub mod partners;
pub mod pilots;
pub mod policies;
pub mod problem;
pub mod problems;
pub mod rate_limit;
pub mod respond;
pub mod rollouts;
mod route_table;
pub mod server;
pub mod templates;
pub mod tenants;
pub mod users;
pub mod webhooks;

use utoipa_actix_web::service_config::ServiceConfig;

/// Registers every operation, in the order of the document.
#[expect(clippy::too_many_lines, reason = "a list, one line an operation")]
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(partners::create::create_partner)
        .service(partners::list::list_partners)
        .service(partners::get::get_partner)
        .service(partners::update::update_partner)
        .service(api_keys::create::create_key)
        .service(api_keys::list::list_keys)
        .service(api_keys::get::get_key)
        .service(api_keys::rotate::rotate_key)
        .service(api_keys::revoke::revoke_key)
        .service(api_keys::create::create_installation_key)
        .service(api_keys::list::list_installation_keys)
        .service(api_keys::get::get_installation_key)
        .service(api_keys::rotate::rotate_installation_key)
        .service(api_keys::revoke::revoke_installation_key)
        .service(cells::list::list_cells)
        .service(cells::get::get_cell)
        .service(cells::update::update_cell)
        .service(cells::releases::list_releases)
        .service(rollouts::create::create_rollout)
        .service(rollouts::list::list_rollouts)
        .service(rollouts::get::get_rollout)
        .service(rollouts::pause::pause_rollout)
        .service(rollouts::resume::resume_rollout)
        .service(rollouts::cancel::cancel_rollout)
        .service(tenants::create::create_tenant)
        .service(tenants::list::list_tenants)
        .service(tenants::get::get_tenant)
        .service(tenants::update::update_tenant)
        .service(tenants::suspend::suspend_tenant)
        .service(tenants::resume::resume_tenant)
        .service(drift::get::get_drift)
        .service(drift::check::check_drift)
        .service(tenants::delete::delete_tenant)
        .service(tenants::restore::restore_tenant)
        .service(tenants::purge::purge_tenant)
        .service(blockid::check_new::check_connection)
        .service(blockid::get::get_connection)
        .service(blockid::put::put_connection)
        .service(blockid::check::check_tenant_connection)
        .service(blockid::revert::revert_connection)
        .service(pilots::create::create_pilot)
        .service(pilots::get::get_pilot)
        .service(pilots::complete::complete_pilot)
        .service(methods::get::get_methods)
        .service(methods::put::put_methods)
        .service(tenants::template::get_template)
        .service(apps::create::create_app)
        .service(apps::list::list_apps)
        .service(apps::get::get_app)
        .service(apps::update::update_app)
        .service(apps::delete::delete_app)
        .service(apps::integration::get_integration)
        .service(policies::get::get_policy)
        .service(policies::put::put_policy)
        .service(policies::rollback::rollback_policy)
        .service(policies::simulate::simulate_policy)
        .service(policies::validate::validate_policy)
        .service(policies::list_versions::list_policy_versions)
        .service(policies::get_version::get_policy_version)
        .service(policies::diff_versions::diff_policy_versions)
        .service(policies::schema::get_policy_schema)
        .service(exemptions::create::create_exemption)
        .service(exemptions::list::list_exemptions)
        .service(exemptions::get::get_exemption)
        .service(exemptions::approve::approve_exemption)
        .service(exemptions::revoke::revoke_exemption)
        .service(users::find::find_users)
        .service(users::export::export_users)
        .service(users::get::get_user)
        .service(users::sign_out::sign_out_user)
        .service(links::list::list_links)
        .service(links::create::create_link)
        .service(links::unlink::unlink_user)
        .service(operations::get::get_operation)
        .service(audit::list::list_audit)
        .service(audit::export::export_audit)
        .service(audit::verify::verify_audit)
        .service(webhooks::create::create_webhook)
        .service(webhooks::list::list_webhooks)
        .service(webhooks::get::get_webhook)
        .service(webhooks::update::update_webhook)
        .service(webhooks::delete::delete_webhook)
        .service(webhooks::test::test_webhook)
        .service(webhooks::deliveries::list::list_webhook_deliveries)
        .service(webhooks::deliveries::get::get_webhook_delivery)
        .service(webhooks::deliveries::replay::replay_webhook_delivery)
        .service(metrics::tenant_step_up::get_tenant_step_up_metrics)
        .service(metrics::step_up::get_step_up_metrics)
        .service(events::list::list_events)
        .service(alarms::get::get_tenant_alarms)
        .service(alarms::put::put_tenant_alarms)
        .service(alarms::list::list_alarms)
        .service(problems::list::list_problems)
        .service(problems::get::get_problem)
        .service(templates::standalone::get_standalone_template)
        .service(operations::list::list_operations)
        .service(operations::get::get_operation)
        .service(operations::events::watch_operation)
        .service(operations::cancel::cancel_operation)
        .service(health::healthz::healthz)
        .service(health::readyz::readyz);
}
