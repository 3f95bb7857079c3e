{{/* One name for everything; short enough for what is added to it. */}}
{{- define "relay.name" -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end }}

{{/* What selects: name and release, and the component where there is one. */}}
{{- define "relay.selector" -}}
app.kubernetes.io/name: sentry-splunk-relay
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end }}

{{- define "relay.labels" -}}
{{ include "relay.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "relay.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{/* A setting's value: of 20000000 Helm would make 2e+07. */}}
{{- define "relay.value" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}{{ int64 . }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{/* Whatever proxy gets past the NetworkPolicy: it says whom it speaks for. */}}
{{- define "relay.proxies" -}}
10.0.0.0/8,100.64.0.0/10,172.16.0.0/12,192.168.0.0/16,fc00::/7
{{- end }}

{{/* Nobody in particular, with no more rights than that. */}}
{{- define "relay.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "relay.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/*
The pod of a relay. component: relay, accept or deliver. settings: defaults of this chart under those of the values.
The time to end is what a stop may take with these settings, and ten seconds.
*/}}
{{- define "relay.pod" -}}
{{- $proxies := dict "RELAY_TRUSTED_PROXIES" (include "relay.proxies" .root) -}}
{{- $settings := mergeOverwrite (deepCopy .settings) $proxies .root.Values.settings -}}
metadata:
  labels: {{- include "relay.selector" . | nindent 4 }}
  {{- with .root.Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "relay.name" .root }}
  automountServiceAccountToken: false
  enableServiceLinks: false  # a release called "relay" would otherwise set RELAY_PORT
  terminationGracePeriodSeconds: {{ addf (get $settings "RELAY_DRAIN_DELAY_S" | default 2 | float64) (get $settings "RELAY_BODY_DEADLINE_S" | default 10 | float64) (get $settings "RELAY_DRAIN_DEADLINE_S" | default 20 | float64) 10 | ceil | int }}
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext: {{- include "relay.podSecurity" .root | nindent 4 }}
  {{- with .root.Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .root.Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne .component "relay" }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: kubernetes.io/hostname
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "relay.selector" . | nindent 10 }}
  {{- end }}
  containers:
    - name: relay
      image: {{ include "relay.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args: {{ .args | toJson }}
      env:
        {{- if ne .component "relay" }}
        - name: RELAY_SPOOL_URL
          valueFrom:
            secretKeyRef: {name: {{ .root.Values.spool.postgres.secret }}, key: {{ .root.Values.spool.postgres.key }}}
        {{- end }}
        {{- range $name, $value := $settings }}
        - {name: {{ $name }}, value: {{ include "relay.value" $value | quote }}}
        {{- end }}
      ports:
        - {name: http, containerPort: 8080}
      startupProbe: {httpGet: {path: /livez, port: http}, periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 60}
      livenessProbe: {httpGet: {path: /livez, port: http}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
      readinessProbe: {httpGet: {path: /readyz, port: http}, periodSeconds: 5, timeoutSeconds: 5, failureThreshold: 3}
      securityContext: {{- include "relay.containerSecurity" .root | nindent 8 }}
      resources: {{- toYaml .root.Values.resources | nindent 8 }}
      volumeMounts:
        {{- if eq .component "relay" }}
        - {name: spool, mountPath: /var/lib/relay}
        {{- end }}
        - {name: tenants, mountPath: /etc/relay, readOnly: true}
        - {name: secrets, mountPath: /run/secrets/relay, readOnly: true}
        - {name: tmp, mountPath: /tmp}
  volumes:
    # Folders, without subPath: only then does a change reach the running relay.
    - {name: tenants, configMap: {name: {{ .root.Values.tenantsConfigMap | default (printf "%s-tenants" (include "relay.name" .root)) }}}}
    - {name: secrets, secret: {secretName: {{ .root.Values.secret }}, defaultMode: 0440}}
    - {name: tmp, emptyDir: {sizeLimit: 64Mi}}
{{- end }}
