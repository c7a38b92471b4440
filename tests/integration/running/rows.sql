-- Rows of every table as release 0.1.0 could have written them, in the order of their references. A migration that makes a table
-- adds rows here, under its number; what stands here already is not changed any more, because it is what exists out there.

-- since 1
INSERT INTO partners VALUES ('prt_1', 'Old partner', '2026-01-01');
INSERT INTO api_keys (id, partner_id, role, name, prefix, secret_hash, created_at)
    VALUES ('key_1', 'prt_1', 'partner_admin', 'old', 'oldprefix', '\x00', '2026-01-01');
INSERT INTO cells (id, account_id, region, architecture, state, artifact_bucket, log_group_name, artifacts, created_at, updated_at)
    VALUES ('cel_1', '123456789012', 'eu-central-1', 'arm64', 'ready', 'b', 'g', '{}', '2026-01-01', '2026-01-01');
INSERT INTO tenants (id, partner_id, cell_id, name, state, blockid_tenant_dns, blockid_community, blockid_client_id, pool,
        credentials_secret_name, settings_secret_name, event_hash_key, next_attempt_at, created_at, updated_at)
    VALUES ('tnt_1', 'prt_1', 'cel_1', 'Old tenant', 'active', 'a.example.com', 'default', 'c', '{}',
        'stepgate/tnt_1/credentials-x', 'stepgate/tnt_1/settings-x', '\x00', '2026-01-01', '2026-01-01', '2026-01-01');
INSERT INTO apps (id, tenant_id, partner_id, name, settings, policy_version, created_at, updated_at)
    VALUES ('app_1', 'tnt_1', 'prt_1', 'Old app', '{}', 1, '2026-01-01', '2026-01-01');
INSERT INTO policy_versions VALUES ('app_1', 1, 'prt_1', '{}', 'key_1', '2026-01-01');
INSERT INTO operations (id, partner_id, tenant_id, resource_id, kind, target_generation, state, created_at)
    VALUES ('opr_1', 'prt_1', 'tnt_1', 'tnt_1', 'create_tenant', 1, 'succeeded', '2026-01-01');
INSERT INTO operation_steps (operation_id, position, name, state) VALUES ('opr_1', 0, 'tenant_stack', 'succeeded');

-- since 3
INSERT INTO audit_log (id, partner_id, tenant_id, resource_id, action, actor, reason, at)
    VALUES ('aud_1', 'prt_1', 'tnt_1', 'tnt_1', 'suspend_tenant', 'key_1', 'old reason', '2026-01-01');

-- since 10
INSERT INTO exemptions (id, partner_id, tenant_id, app_id, user_sub, reason, duration_min, state, asked_by, created_at, approved_by, approved_at, expires_at)
    VALUES ('exm_1', 'prt_1', 'tnt_1', 'app_1', 'sub', 'lost phone', 60, 'approved', 'key_1', '2026-01-01', 'key_2', '2026-01-01', '2026-01-01 01:00Z');

-- since 20
INSERT INTO blockid_pilots (id, tenant_id, partner_id, method, state_hash, pkce, connection, created_at, expires_at, taken_at, outcome)
    VALUES ('plt_1', 'tnt_1', 'prt_1', 'liveid', '\x00', true, '{}', '2026-01-01', '2026-01-02', '2026-01-01', '{}');

-- since 30
INSERT INTO connection_changes (id, tenant_id, partner_id, state, connection, previous, operation_id, created_at, staged_at, finished_at)
    VALUES ('chg_1', 'tnt_1', 'prt_1', 'done', '{}', '{}', 'opr_1', '2026-01-01', '2026-01-01', '2026-01-01');

-- since 40
INSERT INTO audit_seals
    SELECT 'prt_1', 1, commit_order, position, decode(repeat('00', 32), 'hex'), '2026-01-01' FROM audit_commits;
INSERT INTO audit_denials (actor, operation, code, partner_id, actor_role, since, last_at, last_path)
    VALUES ('key_1', 'createTenant', 'forbidden', 'prt_1', 'partner_reader', '2026-01-01', '2026-01-01', '/v1/tenants');

-- since 41
INSERT INTO webhooks (id, partner_id, url, description, events, key_id, sealed_data_key, sealed_secret, created_at, updated_at)
    VALUES ('whk_1', 'prt_1', 'https://hooks.example.com', '', '{tenant.ready}', 'k', '\x00', '\x00', '2026-01-01', '2026-01-01');
INSERT INTO webhook_messages VALUES ('msg_1', 'prt_1', 'tnt_1', 'dev.stepgate.tenant.ready', '{}', '2026-01-01');
INSERT INTO webhook_deliveries (id, partner_id, webhook_id, message_id, state, attempts, next_attempt_at, last_status, created_at, finished_at)
    VALUES ('dlv_1', 'prt_1', 'whk_1', 'msg_1', 'delivered', 1, '2026-01-01', 200, '2026-01-01', '2026-01-01');
INSERT INTO webhook_attempts VALUES ('dlv_1', 1, 'prt_1', '2026-01-01', 5, 200);

-- since 50
INSERT INTO idempotency_keys (id, partner_id, fingerprint, lease_owner, lease_expires_at, status, location, answer, created_at)
    VALUES ('\x01', 'prt_1', '\x02', 'serve-1', '2026-01-01', 201, '/v1/tenants/tnt_1', '{}', '2026-01-01');

-- since 70
SELECT make_event_partitions('2026-01-01', '2026-01-01');
INSERT INTO step_up_events (event_id, filed_at, at, partner_id, tenant_id, type, app_id, journey_id, policy_version, policy_stale, cold_start,
        duration_ms, trigger_version)
    VALUES ('evt_1', '2026-01-01Z', '2026-01-01Z', 'prt_1', 'tnt_1', 'started', 'app_1', 'jny_1', 1, false, true, 12, '0.1.0');
INSERT INTO step_up_ends VALUES ('jny_1', '2026-01-01Z');
INSERT INTO step_up_minutes (tenant_id, slice, app_id, method, outcome, reason, policy_version, trigger_version, partner_id, events, cold_starts, fallbacks, to_complete)
    VALUES ('tnt_1', '2026-01-01Z', 'app_1', 'liveid', 'succeeded', '', 1, '0.1.0', 'prt_1', 3, 1, 0, '{0,2,1}');
INSERT INTO step_up_hours SELECT * FROM step_up_minutes;
INSERT INTO step_up_days SELECT * FROM step_up_minutes;
INSERT INTO quarantined_events VALUES ('qrt_1', 'cel_1', 'malformed', 1, '{}', '2026-01-01');

-- since 80
INSERT INTO drift_findings VALUES ('tnt_1', '/pool/mfa', 'prt_1', 'high', '"ON"', '"OFF"', true, 'opr_1', '2026-01-01');

-- since 90
INSERT INTO templates VALUES ('sha256:00', '{}', '2026-01-01');
INSERT INTO releases VALUES ('rel_1', 'cel_1', '0.1.0', '{}', 'sha256:00', '2026-01-01');

-- since 91
INSERT INTO rollouts (id, release_name, plan, state, waves, created_by, created_at, updated_at, finished_at)
    VALUES ('rol_1', '0.1.0', '{}', 'succeeded', 1, 'key_1', '2026-01-01', '2026-01-01', '2026-01-01');
INSERT INTO rollout_cells VALUES ('rol_1', 'cel_1', 'rel_1');
INSERT INTO rollout_tenants (rollout_id, tenant_id, partner_id, wave, stage, to_release_id) VALUES ('rol_1', 'tnt_1', 'prt_1', 0, 'done', 'rel_1');

-- since 95
INSERT INTO aws_call_budgets VALUES ('123456789012/eu-central-1', 'cognito-idp', 10, 8, 3, '2026-01-01');

-- since 100
INSERT INTO alarm_settings VALUES ('tnt_1', 'prt_1', 1, '{}', '2026-01-01');
INSERT INTO alarms (id, partner_id, tenant_id, kind, threshold, window_min, value, sample, raised_at, last_breach_at)
    VALUES ('alm_1', 'prt_1', 'tnt_1', 'success_rate', 0.7, 15, 0.5, 40, '2026-01-01', '2026-01-01');

-- since 105
INSERT INTO console_sessions VALUES ('\x03', NULL, 'staff', 'somebody', 'operator', '2026-01-01', '2026-01-01', '2026-01-02');
INSERT INTO console_links VALUES ('\x04', '2026-01-02');

-- since 113
INSERT INTO event_intake VALUES ('cel_1', '2026-01-01', 4.5);
