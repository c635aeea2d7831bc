{{- define "heimdall.name" -}}
{{- printf "%s-%s" .root.Release.Name .part | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "heimdall.selector" -}}
app.kubernetes.io/name: heimdall
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "heimdall.labels" -}}
{{ include "heimdall.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end -}}

{{- define "heimdall.metadata" -}}
metadata:
  name: {{ include "heimdall.name" . }}
  labels:
    {{- include "heimdall.labels" . | nindent 4 }}
{{- end -}}

{{- define "heimdall.image" -}}
{{- $image := index .root.Values.image .image -}}
{{- with .root.Values.image.registry }}{{ . }}/{{ end }}{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion -}}
{{- end -}}

{{- define "heimdall.secret" -}}
{{- .Values.secrets.existingSecret | default (include "heimdall.name" (dict "root" . "part" "secrets")) -}}
{{- end -}}

{{/* As in docker-compose.yml: nobody in particular, no capability, nothing to write to but what is mounted. */}}
{{- define "heimdall.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .user }}
runAsGroup: {{ .user }}
fsGroup: {{ .user }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "heimdall.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- define "heimdall.pod" -}}
serviceAccountName: {{ include "heimdall.name" (dict "root" .root "part" "pods") }}
automountServiceAccountToken: false
# Its variables (HEIMDALL_PORT for a service of that name) would be taken for settings.
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "heimdall.podSecurity" (dict "user" .user) | nindent 2 }}
{{- end -}}

{{- define "heimdall.probes" -}}
startupProbe:
  httpGet: {path: /health, port: {{ .port }}}
  periodSeconds: 2
  failureThreshold: 90
livenessProbe:
  httpGet: {path: /health, port: {{ .port }}}
  periodSeconds: 15
  timeoutSeconds: 10
  failureThreshold: 4
readinessProbe:
  httpGet: {path: /ready, port: {{ .port }}}
  periodSeconds: 10
  timeoutSeconds: 5
{{- end -}}

{{/* What API, worker and migration are told alike. */}}
{{- define "heimdall.environment" -}}
- {name: HEIMDALL_HOME, value: /var/lib/heimdall}
- {name: HEIMDALL_DATABASE_URL, value: {{ include "heimdall.database" . | quote }}}
- {name: HEIMDALL_DATABASE_PASSWORD_FILE, value: /run/heimdall-secrets/database_password}
- {name: HEIMDALL_BROKER_URL, value: {{ include "heimdall.broker" . | quote }}}
- {name: HEIMDALL_BROKER_PASSWORD_FILE, value: /run/heimdall-secrets/broker_password}
{{- with include "heimdall.mlflow" . }}
- {name: HEIMDALL_MLFLOW_TRACKING_URI, value: {{ . | quote }}}
{{- end }}
{{- with .Values.artifacts.url }}
- {name: HEIMDALL_ARTIFACTS, value: {{ . | quote }}}
- {name: AWS_DEFAULT_REGION, value: {{ $.Values.artifacts.region | quote }}}
{{- end }}
{{- with .Values.artifacts.endpoint }}
- {name: AWS_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .Values.artifacts.existingSecret }}
{{- range $name := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.artifacts.existingSecret }}, key: {{ $name }}}}
{{- end }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- {name: {{ $name }}, value: {{ $value | toString | quote }}}
{{- end }}
{{- end -}}

{{- define "heimdall.database" -}}
{{- if .Values.postgres.enabled -}}
postgresql://heimdall@{{ include "heimdall.name" (dict "root" . "part" "postgres") }}:5432/heimdall
{{- else -}}
{{- required "postgres.enabled is false: set postgres.externalUrl" .Values.postgres.externalUrl -}}
{{- end -}}
{{- end -}}

{{- define "heimdall.broker" -}}
{{- if .Values.valkey.enabled -}}
redis://default@{{ include "heimdall.name" (dict "root" . "part" "valkey") }}:6379/0
{{- else -}}
{{- required "valkey.enabled is false: set valkey.externalUrl" .Values.valkey.externalUrl -}}
{{- end -}}
{{- end -}}

{{- define "heimdall.mlflow" -}}
{{- if .Values.mlflow.enabled -}}
http://{{ include "heimdall.name" (dict "root" . "part" "mlflow") }}:5000
{{- else -}}
{{- .Values.mlflow.externalUrl -}}
{{- end -}}
{{- end -}}

{{- define "heimdall.secretVolume" -}}
- name: secrets
  secret:
    secretName: {{ include "heimdall.secret" .root }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- end -}}

{{- define "heimdall.claim" -}}
accessModes: [{{ .mode | default "ReadWriteOnce" }}]
{{- with .root.Values.storage.className }}
storageClassName: {{ . }}
{{- end }}
resources: {requests: {storage: {{ .size }}}}
{{- end -}}

{{- define "heimdall.homeVolume" -}}
{{- $part := ternary "api" "home" (ne .Values.artifacts.url "") -}}
- name: home
  persistentVolumeClaim: {claimName: {{ include "heimdall.name" (dict "root" . "part" $part) }}}
{{- end -}}

{{- define "heimdall.homeMounts" -}}
- {name: home, mountPath: /var/lib/heimdall}
- {name: secrets, mountPath: /run/heimdall-secrets, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end -}}

{{/* Names, and those servers of this release that there are. */}}
{{- define "heimdall.waysOut" -}}
{{- $ports := dict "postgres" 5432 "valkey" 6379 "mlflow" 5000 -}}
- ports: [{protocol: UDP, port: 53}, {protocol: TCP, port: 53}]
{{- range .parts }}
{{- if (index $.root.Values .).enabled }}
- to: [{podSelector: {matchLabels: {{ include "heimdall.selector" (dict "root" $.root "part" .) | fromYaml | toJson }}}}]
  ports: [{protocol: TCP, port: {{ index $ports . }}}]
{{- end }}
{{- end }}
{{- end -}}
