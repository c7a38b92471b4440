{{/* Deployment of serve or worker, which differ in what they run and share everything else:
     (dict "root" . "component" "serve"). */}}
{{- define "stepgate.workload" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .component -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "stepgate.fullname" $root }}-{{ .component }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "stepgate.labels" . | nindent 4 }}
spec:
  {{- if not $values.autoscaling.enabled }}
  replicas: {{ $values.replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  # A new pod is ready before an old one is asked to stop.
  strategy:
    type: RollingUpdate
    rollingUpdate: { maxUnavailable: 0, maxSurge: 1 }
  selector:
    matchLabels:
      {{- include "stepgate.componentSelector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "stepgate.labels" . | nindent 8 }}
        {{- with $values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with $values.podAnnotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: {{ include "stepgate.serviceAccountName" . }}
      # Nothing here talks to Kubernetes. The tokens for IAM roles are volumes of their own.
      automountServiceAccountToken: false
      enableServiceLinks: false
      {{- with include "stepgate.pullSecrets" $root }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- include "stepgate.podSecurity" $root | nindent 6 }}
      # Longer than the delay and the grace together, so that a stop is never cut short.
      terminationGracePeriodSeconds: {{ add $root.Values.config.shutdownDelayS $root.Values.config.shutdownGraceS 10 }}
      {{- with $values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      {{- if $values.topologySpread.enabled }}
      topologySpreadConstraints:
        {{- $spread := . }}
        {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
        - topologyKey: {{ . }}
          maxSkew: 1
          # Nodes that are drained or lost are no place to wait for, and pods of the version before do not count.
          nodeTaintsPolicy: Honor
          matchLabelKeys: [pod-template-hash]
          whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
          labelSelector:
            matchLabels:
              {{- include "stepgate.componentSelector" $spread | nindent 14 }}
        {{- end }}
      {{- end }}
      {{- with $values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- if eq (include "stepgate.migrationRun" $root) "init" }}
      # Safe in several pods at once: a lock in the database orders them.
      initContainers:
        - {{- include "stepgate.migrateContainer" $root | nindent 10 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "stepgate.image" $root }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: [{{ .component }}]
          env:
            {{- include "stepgate.env" $root | nindent 12 }}
            {{- include "stepgate.componentEnv" . | nindent 12 }}
            {{- with $root.Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - name: http
              containerPort: 8080
            - name: metrics
              containerPort: 9090
          startupProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 1
            failureThreshold: 60
          livenessProbe:
            httpGet: { path: /healthz, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          readinessProbe:
            httpGet: { path: /readyz, port: http }
            periodSeconds: 5
            # Longer than the service waits for a connection to the database.
            timeoutSeconds: 6
            failureThreshold: 2
          resources:
            {{- toYaml $values.resources | nindent 12 }}
          {{- include "stepgate.containerSecurity" $root | nindent 10 }}
          {{- with include "stepgate.mounts" . }}
          {{- . | nindent 10 }}
          {{- end }}
      {{- with include "stepgate.volumes" . }}
      {{- . | nindent 6 }}
      {{- end }}
{{- end -}}

{{- define "stepgate.serviceAccount" -}}
{{- $account := (index .root.Values .component).serviceAccount -}}
{{- if $account.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "stepgate.serviceAccountName" . }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "stepgate.labels" . | nindent 4 }}
  {{- if or $account.roleArn $account.annotations }}
  annotations:
    {{- with $account.roleArn }}
    eks.amazonaws.com/role-arn: {{ . | quote }}
    {{- end }}
    {{- with $account.annotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end -}}

{{- define "stepgate.podDisruptionBudget" -}}
{{- $budget := (index .root.Values .component).podDisruptionBudget -}}
{{- if $budget.enabled }}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "stepgate.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "stepgate.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $budget.maxUnavailable }}
  # Without the database no pod is ready, and nodes can be drained all the same.
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "stepgate.componentSelector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- define "stepgate.autoscaler" -}}
{{- $scaling := (index .root.Values .component).autoscaling -}}
{{- $name := printf "%s-%s" (include "stepgate.fullname" .root) .component -}}
{{- if $scaling.enabled }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "stepgate.labels" . | nindent 4 }}
spec:
  scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: {{ $name }} }
  minReplicas: {{ $scaling.minReplicas }}
  maxReplicas: {{ $scaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target: { type: Utilization, averageUtilization: {{ $scaling.targetCpuPercent }} }
    {{- if and $scaling.queueLag $scaling.queueLag.enabled }}
    - type: External
      external:
        metric:
          name: {{ $scaling.queueLag.metricName }}
          selector:
            matchLabels: { namespace: {{ .root.Release.Namespace }} }
        target: { type: Value, value: {{ $scaling.queueLag.targetS | quote }} }
    {{- end }}
{{- end }}
{{- end -}}
