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
{{- else if eq .root.Values.discovery "headlessDns" }}dns://{{ $host }}.{{ .root.Release.Namespace }}.svc:8443
{{- else }}https://{{ $host }}.{{ .root.Release.Namespace }}.svc:8443
{{- end }}
{{- end }}

{{- define "orderly.gateway-url" -}}
{{- .Values.gateway.url | default (printf "http%s://%s-gateway.%s.svc" (ternary "s" "" (ne .Values.gateway.edgeCertificate "")) (include "orderly.fullname" .) .Release.Namespace) }}
{{- end }}

{{- define "orderly.kafka-bootstrap" -}}
{{- if .Values.kafka.enabled }}{{ include "orderly.fullname" . }}-kafka:9092{{ else }}{{ .Values.kafka.external.bootstrap }}{{ end }}
{{- end }}

{{- define "orderly.redis-url" -}}
{{- if .Values.redis.enabled }}redis://{{ include "orderly.fullname" . }}-redis:6379/0{{ else }}{{ .Values.redis.external.url }}{{ end }}
{{- end }}

{{/* The engine, for who reads or writes the log: (dict "root" $ "service" NAME) */}}
{{- define "orderly.engine-env" -}}
{{- $kafka := .root.Values.kafka }}
ORDERLY_ENGINE: kafka
ORDERLY_KAFKA_BOOTSTRAP: {{ include "orderly.kafka-bootstrap" .root }}
ORDERLY_KAFKA_REPLICATION: {{ ternary $kafka.brokers $kafka.external.replication $kafka.enabled | quote }}
ORDERLY_REDIS_URL: {{ include "orderly.redis-url" .root }}
{{- if not $kafka.enabled }}
ORDERLY_KAFKA_SECURITY_PROTOCOL: {{ $kafka.external.securityProtocol }}
{{- if $kafka.external.caSecret }}
ORDERLY_KAFKA_CA_FILE: /kafka/ca/ca.crt
{{- end }}
{{- if $kafka.external.certificateSecret }}
ORDERLY_KAFKA_CERT_FILE: /kafka/certificate/tls.crt
ORDERLY_KAFKA_KEY_FILE: /kafka/certificate/tls.key
{{- end }}
{{- if $kafka.external.saslMechanism }}
ORDERLY_KAFKA_SASL_MECHANISM: {{ $kafka.external.saslMechanism }}
ORDERLY_KAFKA_SASL_USERNAME: {{ .service }}
ORDERLY_KAFKA_SASL_PASSWORD_FILE: /kafka/password/password
{{- end }}
{{- end }}
{{- end }}

{{- define "orderly.engine-volumes" -}}
{{- if not .root.Values.kafka.enabled }}
{{- with .root.Values.kafka.external.caSecret }}
- { name: kafka-ca, secret: { secretName: {{ . }}, defaultMode: 0440 } }
{{- end }}
{{- if .root.Values.kafka.external.certificateSecret }}
- { name: kafka-certificate, secret: { secretName: {{ .root.Values.kafka.external.certificateSecret }}-{{ .service }}, defaultMode: 0440 } }
{{- end }}
{{- if .root.Values.kafka.external.passwordSecret }}
- { name: kafka-password, secret: { secretName: {{ .root.Values.kafka.external.passwordSecret }}-{{ .service }}, defaultMode: 0440 } }
{{- end }}
{{- end }}
{{- end }}

{{- define "orderly.engine-mounts" -}}
{{- if not .root.Values.kafka.enabled }}
{{- if .root.Values.kafka.external.caSecret }}
- { name: kafka-ca, mountPath: /kafka/ca, readOnly: true }
{{- end }}
{{- if .root.Values.kafka.external.certificateSecret }}
- { name: kafka-certificate, mountPath: /kafka/certificate, readOnly: true }
{{- end }}
{{- if .root.Values.kafka.external.passwordSecret }}
- { name: kafka-password, mountPath: /kafka/password, readOnly: true }
{{- end }}
{{- end }}
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
ORDERLY_DRAIN_SECONDS: {{ $spec.drainSeconds | quote }}
{{- if $root.Values.faults.enabled }}
ORDERLY_FAULTS: "on"
ORDERLY_FAULTS_FILE: /faults/flags.json
{{- end }}
{{- if has $service $known.keeping }}
{{ include "orderly.engine-env" (dict "root" $root "service" $service) }}
{{- end }}
{{- if eq $service "gateway" }}
ORDERLY_REDIS_URL: {{ include "orderly.redis-url" $root }}
ORDERLY_GATEWAY_URL: {{ include "orderly.gateway-url" $root }}
ORDERLY_ORDER_URL: {{ include "orderly.where" (dict "root" $root "service" "order") }}
ORDERLY_PAYMENT_URL: {{ include "orderly.where" (dict "root" $root "service" "payment") }}
ORDERLY_INVENTORY_URL: {{ include "orderly.where" (dict "root" $root "service" "inventory") }}
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
ORDERLY_{{ $name | snakecase | upper }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{/* The environment as a container wants it, from a map as text. */}}
{{- define "orderly.env" -}}
{{- range $name, $value := fromYaml . }}
- { name: {{ $name }}, value: {{ $value | toString | quote }} }
{{- end }}
{{- end }}

{{/* Which services ask which ones: files/callgraph.yaml, as {"calls": {caller: [callee]}}; who reads the log; who asks the API server. */}}
{{- define "orderly.asks-api-server" -}}
{{- if and (eq .root.Values.discovery "endpointSlices") (has .service (list "gateway" "order" "payment")) }}yes{{ end }}
{{- end }}

{{/* Before the first start there may be no log to be had yet; asking for it costs less than starting again and again. */}}
{{- define "orderly.wait-for-log" -}}
- name: wait-for-log
  {{- include "orderly.own-image" .root | nindent 2 }}
  command: [python, -P, -c]
  args:
    - |
      import socket, sys, time
      hosts = [it.rsplit(":", 1) for it in sys.argv[1].split(",")]
      print("waiting for", sys.argv[1], flush=True)
      while True:
          for host, port in hosts:
              try:
                  sys.exit(socket.create_connection((host, int(port)), 2).close())
              except OSError:
                  time.sleep(0.5)
    - {{ include "orderly.kafka-bootstrap" .root }}
  resources:
    requests: { cpu: 10m, memory: 16Mi }
    limits: { cpu: 500m, memory: 64Mi }
  securityContext: {{- include "orderly.container-security" .root | nindent 4 }}
{{- end }}
