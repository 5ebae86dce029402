{{- define "duckherder.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{ ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* The fixed part of labels, by which pods are found: (list $ "worker") */}}
{{- define "duckherder.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "duckherder.labels" -}}
{{- $root := index . 0 -}}
{{ include "duckherder.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "duckherder.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "duckherder.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "duckherder.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{- define "duckherder.tokenSecret" -}}
{{ .Values.token.existingSecret | default (printf "%s-token" (include "duckherder.fullname" .)) }}
{{- end -}}

{{- define "duckherder.domain" -}}
{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end -}}

{{- define "duckherder.driverHost" -}}
{{ include "duckherder.fullname" . }}-driver.{{ include "duckherder.domain" . }}
{{- end -}}

{{- define "duckherder.workersDomain" -}}
{{ include "duckherder.fullname" . }}-workers.{{ include "duckherder.domain" . }}
{{- end -}}

{{/* The name of the secret with the certificate; empty: no TLS */}}
{{- define "duckherder.tlsSecret" -}}
{{- if .Values.tls.secretName -}}
{{ .Values.tls.secretName }}
{{- else if .Values.tls.certManager.enabled -}}
{{ include "duckherder.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{/* What no default can decide */}}
{{- define "duckherder.check" -}}
{{- $tls := include "duckherder.tlsSecret" . -}}
{{- if and (not $tls) (not .Values.insecure) -}}
{{- fail "Nodes need certificates: set tls.secretName or tls.certManager.enabled. (insecure=true lets token, plans and rows travel in the clear.)" -}}
{{- end -}}
{{- if and $tls .Values.insecure -}}
{{- fail "There are certificates, and insecure is true: say one of them." -}}
{{- end -}}
{{- if and .Values.tls.certManager.enabled (not .Values.tls.certManager.issuerRef.name) -}}
{{- fail "tls.certManager.issuerRef.name: which issuer signs the certificate?" -}}
{{- end -}}
{{- if and .Values.tls.requireClientCertificates (not $tls) -}}
{{- fail "tls.requireClientCertificates needs certificates." -}}
{{- end -}}
{{- if and .Values.keda.enabled (not .Values.http.expose) (not .Values.keda.triggers) -}}
{{- fail "keda.enabled: KEDA asks the driver's API, set http.expose, or keda.triggers of your own." -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.http.expose) -}}
{{- fail "serviceMonitor.enabled: Prometheus scrapes the driver, set http.expose." -}}
{{- end -}}
{{- $grace := .Values.worker.terminationGracePeriodSeconds -}}
{{- if and $grace (lt (int $grace) (add (int .Values.worker.drainTimeout) 15 | int)) -}}
{{- fail "worker.terminationGracePeriodSeconds has to be at least worker.drainTimeout + 15, or a worker is killed while it drains." -}}
{{- end -}}
{{- end -}}

{{/* --memory-limit: four fifths of the container's limit, as a process may have a quarter more for a while */}}
{{- define "duckherder.memoryLimit" -}}
{{- $limit := dig "limits" "memory" "" .resources | toString -}}
{{- if .memoryLimit -}}
{{ .memoryLimit }}
{{- else if hasSuffix "Gi" $limit -}}
{{ printf "%dMiB" (div (mulf (trimSuffix "Gi" $limit | float64) 1024 | int64 | mul 4) 5) }}
{{- else if hasSuffix "Mi" $limit -}}
{{ printf "%dMiB" (div (mul (trimSuffix "Mi" $limit | int64) 4) 5) }}
{{- end -}}
{{- end -}}

{{/* Nodes and the operators' commands find the files of the init container. (list $ "DRIVER") */}}
{{- define "duckherder.environment" -}}
{{- $root := index . 0 -}}
{{- $node := index . 1 -}}
- name: DUCKHERDER_TOKEN_FILE
  value: /run/duckherder/token
{{- if include "duckherder.tlsSecret" $root }}
- name: DUCKHERDER_{{ $node }}_TLS_CERT
  value: /run/duckherder/tls.crt
- name: DUCKHERDER_{{ $node }}_TLS_KEY
  value: /run/duckherder/tls.key
{{- if $root.Values.tls.requireClientCertificates }}
- name: DUCKHERDER_{{ $node }}_TLS_CLIENT_CA
  value: /run/duckherder/ca.crt
{{- end }}
- name: DUCKHERDER_{{ $node }}_TLS_CA
  value: /run/duckherder/ca.crt
{{- end }}
{{- if or $root.Values.insecure $root.Values.http.expose }}
# With certificates this is about HTTP alone: probes and scrapers within the cluster speak no TLS.
- name: DUCKHERDER_{{ $node }}_INSECURE
  value: "true"
{{- end }}
{{- if eq $node "DRIVER" }}
{{- range $command := list "STATUS" "QUERIES" "QUERY" "KILL" "WORKERS" "DRAIN" "FORGET" "SESSIONS" "SQL" "TOP" }}
- name: DUCKHERDER_{{ $command }}_DRIVER
  value: {{ include "duckherder.driverHost" $root }}:8815
{{- if include "duckherder.tlsSecret" $root }}
- name: DUCKHERDER_{{ $command }}_TLS_CA
  value: /run/duckherder/ca.crt
{{- if $root.Values.tls.requireClientCertificates }}
- name: DUCKHERDER_{{ $command }}_TLS_CERT
  value: /run/duckherder/tls.crt
- name: DUCKHERDER_{{ $command }}_TLS_KEY
  value: /run/duckherder/tls.key
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The secret with init.sql of a node; empty: none. (list $ "driver") */}}
{{- define "duckherder.initSecret" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{- if $values.initExistingSecret -}}
{{ $values.initExistingSecret }}
{{- else if $values.init -}}
{{ include "duckherder.fullname" $root }}-{{ index . 1 }}-init
{{- end -}}
{{- end -}}

{{/* Kubernetes mounts secrets readable for the group, and Duckherder refuses a token that others may read: an init
container gives each file to the node alone, in memory. (list $ "driver") */}}
{{- define "duckherder.credentials" -}}
{{- $root := index . 0 -}}
- name: credentials
  image: {{ include "duckherder.image" $root }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command: [bash, -c, "umask 077 && for file in /run/secrets/duckherder/*; do cat \"$file\" > /run/duckherder/\"${file##*/}\" || exit 1; done"]
  securityContext:
    {{- toYaml $root.Values.containerSecurityContext | nindent 4 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: secrets, mountPath: /run/secrets/duckherder, readOnly: true}
    - {name: credentials, mountPath: /run/duckherder}
{{- end -}}

{{- define "duckherder.credentialVolumes" -}}
{{- $root := index . 0 -}}
- name: credentials
  emptyDir: {medium: Memory, sizeLimit: 4Mi}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "duckherder.tokenSecret" $root }}
          items: [{key: token, path: token}]
      {{- with include "duckherder.tlsSecret" $root }}
      - secret:
          name: {{ . }}
          items:
            - {key: tls.crt, path: tls.crt}
            - {key: tls.key, path: tls.key}
            - {key: ca.crt, path: ca.crt}
      {{- end }}
      {{- with $root.Values.clientTokens.existingSecret }}
      - secret:
          name: {{ . }}
          items: [{key: client-tokens, path: client-tokens}]
      {{- end }}
      {{- with include "duckherder.initSecret" . }}
      - secret:
          name: {{ . }}
          items: [{key: init.sql, path: init.sql}]
      {{- end }}
{{- end -}}

{{/* By a command within the pod, as HTTP is on loopback by default */}}
{{- define "duckherder.probes" -}}
startupProbe:
  exec: {command: [duckherder-health, healthz, "{{ .Values.http.port }}"]}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
livenessProbe:
  exec: {command: [duckherder-health, healthz, "{{ .Values.http.port }}"]}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  exec: {command: [duckherder-health, readyz, "{{ .Values.http.port }}"]}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end -}}

{{- define "duckherder.http" -}}
{{ .Values.http.expose | ternary "0.0.0.0" "127.0.0.1" }}:{{ .Values.http.port }}
{{- end -}}
