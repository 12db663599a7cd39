{{- define "waywarden.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "waywarden.selector" -}}
app.kubernetes.io/name: waywarden
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "waywarden.labels" -}}
{{ include "waywarden.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.labels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* metadata of an object in the release's namespace */ -}}
{{- define "waywarden.metadata" -}}
name: {{ include "waywarden.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "waywarden.labels" . | nindent 2 }}
{{- end -}}

{{- define "waywarden.image" -}}
{{- $image := printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- with .Values.image.digest }}{{ $image = printf "%s@%s" $image . }}{{ end -}}
{{- $image -}}
{{- end -}}

{{- /* what is read for rules, as arguments */ -}}
{{- define "waywarden.evidence" -}}
{{- $groups := list -}}
{{- range $group := list "rbac" "webhooks" }}{{ if index $.Values.evidence $group }}{{ $groups = append $groups $group }}{{ end }}{{ end -}}
- --evidence={{ join "," $groups }}
{{- with .Values.evidence.secrets }}
- --secrets={{ join "," . }}
{{- end }}
{{- end -}}

{{- /* the Secret of the serving certificate; one for each source, as a Secret cannot change its type */ -}}
{{- define "waywarden.secret" -}}
{{- include "waywarden.fullname" . -}}{{- if eq .Values.certificate.source "cert-manager" }}-cert{{ else }}-tls{{ end -}}
{{- end -}}

{{- define "waywarden.host" -}}
{{ include "waywarden.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end -}}
