{{/* Names, labels, and the pieces that several pods are made of. */}}

{{- define "orderly.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else }}{{ $name := default .Chart.Name .Values.nameOverride }}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 40 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* (dict "root" $ "component" NAME) */}}
{{- define "orderly.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "orderly.labels" -}}
{{ include "orderly.selector" . }}
app.kubernetes.io/part-of: orderly
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* (dict "image" VALUES "tag" DEFAULT) */}}
{{- define "orderly.image" -}}
{{ .image.repository }}{{ if .image.digest }}@{{ .image.digest }}{{ else }}:{{ .image.tag | default .tag }}{{ end }}
{{- end }}

{{- define "orderly.own-image" -}}
image: {{ include "orderly.image" (dict "image" .Values.image "tag" .Chart.AppVersion) | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- end }}

{{/* Pod Security: restricted. */}}
{{- define "orderly.pod-security" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{- define "orderly.container-security" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "orderly.pull-secrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* In place of what would be mounted everywhere: a token that ends within the hour, for the few who ask the API server. */}}
{{- define "orderly.api-token" -}}
- name: api-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken: { path: token, expirationSeconds: 3607 }
      - configMap: { name: kube-root-ca.crt, items: [{ key: ca.crt, path: ca.crt }] }
      - downwardAPI: { items: [{ path: namespace, fieldRef: { fieldPath: metadata.namespace } }] }
{{- end }}
{{- define "orderly.api-token-mount" -}}
- { name: api-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end }}

{{/* The services that there are, those with an aggregate first in `keeping`. */}}
{{- define "orderly.services" -}}
services: [gateway, order, payment, inventory{{ if .Values.services.provider.enabled }}, provider{{ end }}]
keeping: [order, payment, inventory]
{{- end }}

{{/*
The workloads that the values ask for, as {"items": [{name, service, role, spec}]}. `spec` is `workload` with what
`services.<service>.<role>` says over it.
*/}}
{{- define "orderly.workloads" -}}
{{- $items := list }}
{{- $known := include "orderly.services" . | fromYaml }}
{{- range $service := $known.services }}
  {{- $roles := ternary (list "api" "processor" "projector") (list "all") (and $.Values.split (has $service $known.keeping)) }}
  {{- range $role := $roles }}
    {{- $name := ternary $service (printf "%s-%s" $service $role) (eq $role "all") }}
    {{- $spec := mustMergeOverwrite (deepCopy $.Values.workload) (deepCopy (index $.Values.services $service $role | default dict)) }}
    {{- $items = append $items (dict "name" $name "service" $service "role" $role "spec" $spec) }}
  {{- end }}
{{- end }}
{{- dict "items" $items | toYaml }}
{{- end }}

{{/* Where a service is, for those who ask it: (dict "root" $ "service" NAME) */}}
{{- define "orderly.where" -}}
{{- $host := printf "%s-%s" (include "orderly.fullname" .root) .service }}
{{- if eq .root.Values.discovery "endpointSlices" }}kubernetes://{{ .root.Release.Namespace }}/{{ $host }}:api
{{- else if eq .root.Values.discovery "headlessDns" }}dns://{{ $host }}-pods.{{ .root.Release.Namespace }}.svc:8443
{{- else }}https://{{ $host }}.{{ .root.Release.Namespace }}.svc:8443
{{- end }}
{{- end }}

{{- define "orderly.gateway-url" -}}
{{- .Values.gateway.url | default (printf "http%s://%s-gateway.%s.svc" (ternary "s" "" (ne .Values.gateway.edgeCertificate "")) (include "orderly.fullname" .) .Release.Namespace) }}
{{- end }}

{{- define "orderly.kafka-bootstrap" -}}
{{- if .Values.kafka.enabled }}{{ include "orderly.fullname" . }}-kafka:9092{{ else }}{{ .Values.kafka.external.bootstrap }}{{ end }}
{{- end }}

{{/* As whom Redis is asked: (dict "root" $ "user" NAME) */}}
{{- define "orderly.redis-env" -}}
{{- $external := .root.Values.redis.external }}
{{- if .root.Values.redis.enabled }}
ORDERLY_REDIS_URL: rediss://{{ .user }}@{{ include "orderly.fullname" .root }}-redis:6379/0
ORDERLY_REDIS_CA_FILE: /servers/redis-ca/ca.crt
ORDERLY_REDIS_PASSWORD_FILE: /servers/redis/password
{{- else }}
ORDERLY_REDIS_URL: {{ $external.url | replace "{user}" .user }}
{{- if $external.caSecret }}
ORDERLY_REDIS_CA_FILE: /servers/redis-ca/ca.crt
{{- end }}
{{- if $external.passwordSecret }}
ORDERLY_REDIS_PASSWORD_FILE: /servers/redis/password
{{- end }}
{{- end }}
{{- end }}

{{/* As whom Kafka is asked. The files are those of "orderly.servers-volume". */}}
{{- define "orderly.kafka-env" -}}
{{- $external := .root.Values.kafka.external }}
{{- $own := .root.Values.kafka.enabled }}
ORDERLY_KAFKA_BOOTSTRAP: {{ include "orderly.kafka-bootstrap" .root }}
ORDERLY_KAFKA_REPLICATION: {{ ternary .root.Values.kafka.brokers $external.replication $own | quote }}
ORDERLY_KAFKA_SECURITY_PROTOCOL: {{ ternary "SSL" $external.securityProtocol $own }}
{{- if or $own $external.caSecret }}
ORDERLY_KAFKA_CA_FILE: /servers/kafka-ca/ca.crt
{{- end }}
{{- if or $own $external.certificateSecret }}
ORDERLY_KAFKA_CERT_FILE: /servers/kafka/tls.crt
ORDERLY_KAFKA_KEY_FILE: /servers/kafka/tls.key
{{- end }}
{{- if and (not $own) $external.saslMechanism }}
ORDERLY_KAFKA_SASL_MECHANISM: {{ $external.saslMechanism }}
ORDERLY_KAFKA_SASL_USERNAME: {{ .user }}
ORDERLY_KAFKA_SASL_PASSWORD_FILE: /servers/kafka-sasl/password
{{- end }}
{{- end }}

{{- define "orderly.engine-env" -}}
ORDERLY_ENGINE: kafka
{{ include "orderly.kafka-env" . | trim }}
{{ include "orderly.redis-env" . | trim }}
{{- end }}

{{/*
What a user of Kafka and of Redis shows them, and whom it trusts, in one volume. Without one of them, its name is empty:
(dict "root" $ "kafka" NAME "redis" NAME)
*/}}
{{- define "orderly.servers-volume" -}}
{{- $full := include "orderly.fullname" .root }}
{{- $kafka := .root.Values.kafka.external }}{{ $redis := .root.Values.redis.external }}
- name: servers
  projected:
    defaultMode: 0440
    sources:
      {{- if .kafka }}
      {{- if .root.Values.kafka.enabled }}
      - secret:
          name: {{ $full }}-{{ .kafka }}-tls
          items: [{ key: tls.crt, path: kafka/tls.crt }, { key: tls.key, path: kafka/tls.key }, { key: ca.crt, path: kafka-ca/ca.crt }]
      {{- else }}
      {{- with $kafka.caSecret }}
      - secret: { name: {{ . }}, items: [{ key: ca.crt, path: kafka-ca/ca.crt }] }
      {{- end }}
      {{- if $kafka.certificateSecret }}
      - secret:
          name: {{ $kafka.certificateSecret }}-{{ .kafka }}
          items: [{ key: tls.crt, path: kafka/tls.crt }, { key: tls.key, path: kafka/tls.key }]
      {{- end }}
      {{- if $kafka.passwordSecret }}
      - secret: { name: {{ $kafka.passwordSecret }}-{{ .kafka }}, items: [{ key: password, path: kafka-sasl/password }] }
      {{- end }}
      {{- end }}
      {{- end }}
      {{- if .redis }}
      {{- if .root.Values.redis.enabled }}
      - secret: { name: {{ $full }}-keys, items: [{ key: redis-{{ .redis }}, path: redis/password }] }
      - secret: { name: {{ $full }}-redis-tls, items: [{ key: ca.crt, path: redis-ca/ca.crt }] }
      {{- else }}
      {{- with $redis.caSecret }}
      - secret: { name: {{ . }}, items: [{ key: ca.crt, path: redis-ca/ca.crt }] }
      {{- end }}
      {{- if $redis.passwordSecret }}
      - secret: { name: {{ $redis.passwordSecret }}-{{ .redis }}, items: [{ key: password, path: redis/password }] }
      {{- end }}
      {{- end }}
      {{- end }}
{{- end }}
{{- define "orderly.servers-mount" -}}
- { name: servers, mountPath: /servers, readOnly: true }
{{- end }}

{{/* How long a pod that is to end still serves: (dict "root" $ "spec" SPEC) */}}
{{- define "orderly.leave-seconds" -}}
{{ ternary (max 35 .spec.leaveSeconds) .spec.leaveSeconds (eq .root.Values.discovery "headlessDns") }}
{{- end }}

{{/* What a service is told: (dict "root" $ "workload" WORKLOAD). Its own `settings` go last. */}}
{{- define "orderly.service-env" -}}
{{- $root := .root }}{{ $service := .workload.service }}{{ $spec := .workload.spec }}
{{- $known := include "orderly.services" $root | fromYaml }}
ORDERLY_HOST: 0.0.0.0
ORDERLY_PORT: "8443"
ORDERLY_ADMIN_PORT: "9464"
ORDERLY_ROLE: {{ .workload.role }}
ORDERLY_DATA: /data
ORDERLY_CERTIFICATES: /certificates
ORDERLY_LEAVE_SECONDS: {{ include "orderly.leave-seconds" (dict "root" $root "spec" $spec) | quote }}
ORDERLY_DRAIN_SECONDS: {{ $spec.drainSeconds | quote }}
{{- with include "orderly.otlp" $root }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . }}
{{- end }}
{{- if $root.Values.faults.enabled }}
ORDERLY_FAULTS: "on"
ORDERLY_FAULTS_FILE: /faults/flags.json
{{- end }}
{{- if has $service $known.keeping }}
{{ include "orderly.engine-env" (dict "root" $root "user" $service) }}
{{- end }}
{{- if eq $service "gateway" }}
{{ include "orderly.redis-env" (dict "root" $root "user" "gateway") | trim }}
ORDERLY_GATEWAY_URL: {{ include "orderly.gateway-url" $root }}
ORDERLY_ORDER_URL: {{ include "orderly.where" (dict "root" $root "service" "order") }}
ORDERLY_PAYMENT_URL: {{ include "orderly.where" (dict "root" $root "service" "payment") }}
ORDERLY_INVENTORY_URL: {{ include "orderly.where" (dict "root" $root "service" "inventory") }}
ORDERLY_ISSUER_KEYS: /issuer
ORDERLY_OIDC_AUDIENCE: {{ $root.Values.gateway.oidc.audience }}
{{- with $root.Values.gateway.oidc.issuer }}
ORDERLY_OIDC_ISSUER: {{ . }}
{{- end }}
{{- if $root.Values.gateway.edgeCertificate }}
ORDERLY_EDGE_CERTIFICATE: /edge/tls.crt
ORDERLY_EDGE_KEY: /edge/tls.key
{{- end }}
{{- else if eq $service "order" }}
ORDERLY_MASTER_KEY: /keys/master
ORDERLY_INVENTORY_URL: {{ include "orderly.where" (dict "root" $root "service" "inventory") }}
ORDERLY_API_REPLICAS: "2" # a rollout has one more than there are for good
{{- else if eq $service "payment" }}
ORDERLY_MASTER_KEY: /keys/master
ORDERLY_PROVIDER_URL: {{ $root.Values.services.provider.url | default (include "orderly.where" (dict "root" $root "service" "provider")) }}
{{- end }}
{{- range $name, $value := (index $root.Values.services $service).settings }}
ORDERLY_{{ $name | snakecase | upper }}: {{ ternary (printf "%.0f" $value) (toString $value) (and (kindIs "float64" $value) (eq (floor $value) $value)) | quote }}
{{- end }}
{{- end }}

{{- define "orderly.otlp" -}}
{{- if .Values.jaeger.enabled }}http://{{ include "orderly.fullname" . }}-jaeger:4318{{ else }}{{ .Values.jaeger.external.otlpEndpoint }}{{ end }}
{{- end }}

{{/* The environment as a container wants it, from a map as text. */}}
{{- define "orderly.env" -}}
{{- range $name, $value := fromYaml . }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}

{{/* Whether a service asks the API server for anything: (dict "root" $ "service" NAME) */}}
{{- define "orderly.asks-api-server" -}}
{{- if and (eq .root.Values.discovery "endpointSlices") (has .service (list "gateway" "order" "payment")) }}yes{{ end }}
{{- end }}

{{/* Before the first start there are no topics yet; waiting for them costs less than starting again and again. */}}
{{- define "orderly.wait-for-log" -}}
- name: wait-for-log
  {{- include "orderly.own-image" .root | nindent 2 }}
  args: [orderly, kafka, wait]
  env:
    {{- include "orderly.env" (include "orderly.kafka-env" .) | nindent 4 }}
  resources:
    requests: { cpu: 10m, memory: 64Mi }
    limits: { cpu: "1", memory: 128Mi }
  securityContext: {{- include "orderly.container-security" .root | nindent 4 }}
  volumeMounts:
    - { name: tmp, mountPath: /tmp }
    {{- include "orderly.servers-mount" .root | nindent 4 }}
{{- end }}
