{{/* Names, labels and the parts that several pods share. What a value means is said in values.yaml. */}}

{{- define "stepgate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* Prefix of every name: short enough that the longest suffix still fits a label of 63. */}}
{{- define "stepgate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "stepgate.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "stepgate.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "stepgate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "stepgate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of a component: (dict "root" . "component" "serve"). */}}
{{- define "stepgate.componentSelector" -}}
{{ include "stepgate.selectorLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "stepgate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "stepgate.componentSelector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: stepgate
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "stepgate.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Service account of serve or worker. */}}
{{- define "stepgate.serviceAccountName" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.name -}}
{{- $account.name -}}
{{- else if $account.create -}}
{{- printf "%s-%s" (include "stepgate.fullname" .root) .component -}}
{{- else -}}
default
{{- end -}}
{{- end -}}

{{/* When migrations run: hook, init or never. */}}
{{- define "stepgate.migrationRun" -}}
{{- $run := .Values.database.migration.run -}}
{{- if ne $run "auto" -}}
{{- $run -}}
{{- else if or .Values.postgresql.enabled .Values.externalSecrets.enabled -}}
init
{{- else -}}
hook
{{- end -}}
{{- end -}}

{{/* Where pods go that run to their end: the Job that migrates and the pod of `helm test`. */}}
{{- define "stepgate.jobPlacement" -}}
{{- with .Values.database.migration.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.database.migration.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.database.migration.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.database.migration.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "stepgate.databaseSecret" -}}
{{- if .Values.postgresql.enabled -}}
{{- include "stepgate.fullname" . }}-postgresql
{{- else if .Values.externalSecrets.enabled -}}
{{- include "stepgate.fullname" . }}-database
{{- else -}}
{{- .Values.database.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* Secret of the user who owns the schema; empty when there is only one user. */}}
{{- define "stepgate.migrationSecret" -}}
{{- if .Values.postgresql.enabled -}}
{{- else if .Values.externalSecrets.enabled -}}
{{- if .Values.externalSecrets.migration.remoteKey -}}
{{- include "stepgate.fullname" . }}-database-migration
{{- end -}}
{{- else -}}
{{- .Values.database.migration.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* Secret with the encryption key; empty when there is none. */}}
{{- define "stepgate.encryptionSecret" -}}
{{- if and .Values.externalSecrets.enabled .Values.externalSecrets.encryption.remoteKey -}}
{{- include "stepgate.fullname" . }}-encryption
{{- else -}}
{{- .Values.config.encryption.existingSecret -}}
{{- end -}}
{{- end -}}

{{/* As many copies of serve and worker as there may ever be, one more of each while pods are replaced. */}}
{{- define "stepgate.copies" -}}
{{- $copies := 2 -}}
{{- range $component := list "serve" "worker" -}}
{{- $c := index $.Values $component -}}
{{- $copies = add $copies (ternary $c.autoscaling.maxReplicas $c.replicas $c.autoscaling.enabled) -}}
{{- end -}}
{{- $copies -}}
{{- end -}}

{{- define "stepgate.hasCa" -}}
{{- if and (not .Values.postgresql.enabled) (or .Values.database.ca.configMap .Values.database.ca.secret) -}}true{{- end -}}
{{- end -}}

{{/* Where the database is and how it is reached. User and password come from a secret, so they are not in the URL. */}}
{{- define "stepgate.databaseEnv" -}}
{{- $host := .Values.database.host -}}
{{- $port := .Values.database.port -}}
{{- $mode := .Values.database.sslMode -}}
{{- if .Values.postgresql.enabled -}}
{{- $host = printf "%s-postgresql" (include "stepgate.fullname" .) -}}
{{- $port = 5432 -}}
{{- $mode = "disable" -}}
{{- end -}}
- name: STEPGATE_DATABASE_URL
  value: {{ printf "postgres://%s:%d/%s" $host (int $port) .Values.database.name | quote }}
- name: PGSSLMODE
  value: {{ $mode }}
{{- if include "stepgate.hasCa" . }}
- name: PGSSLROOTCERT
  value: /etc/stepgate/database-ca/{{ .Values.database.ca.key }}
{{- end }}
{{- end -}}

{{/* User and password from a secret: (dict "secret" "usernameKey" "passwordKey"). */}}
{{- define "stepgate.roleEnv" -}}
- name: PGUSER
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .usernameKey }} }
- name: PGPASSWORD
  valueFrom:
    secretKeyRef: { name: {{ .secret }}, key: {{ .passwordKey }} }
{{- end -}}

{{/* Environment of serve and worker. `int` where a number may be large: Helm writes a million as 1e+06. */}}
{{- define "stepgate.env" -}}
{{ include "stepgate.databaseEnv" . }}
{{ include "stepgate.roleEnv" (dict "secret" (include "stepgate.databaseSecret" .) "usernameKey" .Values.database.usernameKey "passwordKey" .Values.database.passwordKey) }}
- name: STEPGATE_DATABASE_MAX_CONNECTIONS
  value: {{ .Values.database.maxConnections | quote }}
- name: STEPGATE_LOG
  value: {{ .Values.config.log | quote }}
- name: STEPGATE_LOG_FORMAT
  value: {{ .Values.config.logFormat | quote }}
{{- with include "stepgate.encryptionSecret" . }}
- name: STEPGATE_ENCRYPTION_KEY
  valueFrom:
    secretKeyRef: { name: {{ . }}, key: {{ $.Values.config.encryption.key }} }
{{- with $.Values.config.encryption.oldKeys }}
- name: STEPGATE_ENCRYPTION_KEYS_OLD
  valueFrom:
    secretKeyRef: { name: {{ include "stepgate.encryptionSecret" $ }}, key: {{ . }} }
{{- end }}
{{- end }}
{{- with .Values.config.allowedWebhookNetworks }}
- name: STEPGATE_ALLOWED_WEBHOOK_NETWORKS
  value: {{ join "," . | quote }}
{{- end }}
- name: STEPGATE_EVENTS_RETENTION_DAYS
  value: {{ .Values.config.eventsRetentionDays | quote }}
- name: STEPGATE_DRIFT_INTERVAL_S
  value: {{ int .Values.config.driftIntervalS | quote }}
- name: STEPGATE_DRIFT_CHECKS_PER_MIN
  value: {{ int .Values.config.driftChecksPerMin | quote }}
- name: STEPGATE_TENANT_GRACE_DAYS
  value: {{ .Values.config.tenantGraceDays | quote }}
- name: STEPGATE_SANDBOX_GRACE_DAYS
  value: {{ .Values.config.sandboxGraceDays | quote }}
- name: STEPGATE_SHUTDOWN_DELAY_S
  value: {{ .Values.config.shutdownDelayS | quote }}
- name: STEPGATE_SHUTDOWN_GRACE_S
  value: {{ .Values.config.shutdownGraceS | quote }}
- name: STEPGATE_METRICS_LISTEN
  value: "0.0.0.0:9090"
{{- with .Values.metrics.tenants }}
- name: STEPGATE_METRICS_TENANTS
  value: {{ join "," . | quote }}
{{- end }}
{{- with .Values.tracing.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
- name: OTEL_TRACES_SAMPLER
  value: parentbased_traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ $.Values.tracing.sampleRatio | quote }}
{{- end }}
{{- with .Values.aws.region }}
- name: AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.endpointUrl }}
- name: AWS_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.aws.existingSecret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef: { name: {{ . }}, key: AWS_ACCESS_KEY_ID }
- name: AWS_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef: { name: {{ . }}, key: AWS_SECRET_ACCESS_KEY }
{{- end }}
{{- end -}}

{{/* What differs between the two: address to listen at, and the worker's loop. */}}
{{- define "stepgate.componentEnv" -}}
{{- if eq .component "serve" -}}
- name: STEPGATE_LISTEN
  value: "0.0.0.0:8080"
- name: STEPGATE_RATE_LIMIT_PER_MIN
  value: {{ int .root.Values.config.rateLimitPerMin | quote }}
{{- with .root.Values.config.trustedIssuers }}
{{- if .configMap }}
- name: STEPGATE_TRUSTED_ISSUERS_FILE
  value: /etc/stepgate/trusted-issuers/{{ .key }}
{{- end }}
{{- end }}
{{- with .root.Values.config.console.origin }}
- name: STEPGATE_CONSOLE_ORIGIN
  value: {{ . | quote }}
{{- end }}
{{- else -}}
- name: STEPGATE_WORKER_LISTEN
  value: "0.0.0.0:8080"
- name: STEPGATE_WORKER_POLL_MS
  value: {{ .root.Values.config.workerPollMs | quote }}
- name: STEPGATE_WORKER_LEASE_S
  value: {{ .root.Values.config.workerLeaseS | quote }}
- name: STEPGATE_WORKER_CONCURRENCY
  value: {{ .root.Values.config.workerConcurrency | quote }}
{{- end -}}
{{- end -}}

{{/* The container that migrates, in the hook's Job and as an init container. */}}
{{- define "stepgate.migrateContainer" -}}
{{- $migration := .Values.database.migration -}}
{{- $owner := include "stepgate.migrationSecret" . -}}
name: migrate
image: {{ include "stepgate.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [migrate]
env:
  {{- include "stepgate.databaseEnv" . | nindent 2 }}
  {{- if $owner }}
  {{- include "stepgate.roleEnv" (dict "secret" $owner "usernameKey" $migration.usernameKey "passwordKey" $migration.passwordKey) | nindent 2 }}
  {{- else }}
  {{- include "stepgate.roleEnv" (dict "secret" (include "stepgate.databaseSecret" .) "usernameKey" .Values.database.usernameKey "passwordKey" .Values.database.passwordKey) | nindent 2 }}
  {{- end }}
  - name: STEPGATE_LOG
    value: {{ .Values.config.log | quote }}
  - name: STEPGATE_LOG_FORMAT
    value: {{ .Values.config.logFormat | quote }}
resources:
  {{- toYaml $migration.resources | nindent 2 }}
{{ include "stepgate.containerSecurity" . }}
{{- with include "stepgate.mounts" (dict "root" . "component" "migrate") }}
{{ . }}
{{- end }}
{{- end -}}

{{/* Files of a container: (dict "root" . "component" "serve"). */}}
{{- define "stepgate.mounts" -}}
{{- $ca := include "stepgate.hasCa" .root -}}
{{- $issuers := and (eq .component "serve") .root.Values.config.trustedIssuers.configMap -}}
{{- $login := and (eq .component "serve") .root.Values.config.console.loginSecret -}}
{{- if or $ca $issuers $login -}}
volumeMounts:
{{- if $ca }}
  - name: database-ca
    mountPath: /etc/stepgate/database-ca
    readOnly: true
{{- end }}
{{- if $issuers }}
  - name: trusted-issuers
    mountPath: /etc/stepgate/trusted-issuers
    readOnly: true
{{- end }}
{{- if $login }}
  - name: console-login
    mountPath: /etc/stepgate/console-login
    readOnly: true
{{- end }}
{{- end -}}
{{- end -}}

{{/* Where they come from. */}}
{{- define "stepgate.volumes" -}}
{{- $ca := include "stepgate.hasCa" .root -}}
{{- $issuers := and (eq .component "serve") .root.Values.config.trustedIssuers.configMap -}}
{{- $login := and (eq .component "serve") .root.Values.config.console.loginSecret -}}
{{- if or $ca $issuers $login -}}
volumes:
{{- if $login }}
  - name: console-login
    secret:
      secretName: {{ $login }}
{{- end }}
{{- if $issuers }}
  - name: trusted-issuers
    configMap:
      name: {{ .root.Values.config.trustedIssuers.configMap }}
      items:
        - key: {{ .root.Values.config.trustedIssuers.key }}
          path: {{ .root.Values.config.trustedIssuers.key }}
{{- end }}
{{- if $ca }}
{{- with .root }}
  - name: database-ca
    {{- if .Values.database.ca.configMap }}
    configMap:
      name: {{ .Values.database.ca.configMap }}
    {{- else }}
    secret:
      secretName: {{ .Values.database.ca.secret }}
    {{- end }}
      items:
        - key: {{ .Values.database.ca.key }}
          path: {{ .Values.database.ca.key }}
{{- end }}
{{- end }}
{{- end -}}
{{- end -}}

{{/* The restricted Pod Security Standard, and a read-only root. */}}
{{- define "stepgate.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "stepgate.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile:
    type: RuntimeDefault
{{- end -}}

{{- define "stepgate.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end -}}
{{- end -}}
