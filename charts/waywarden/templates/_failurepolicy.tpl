{{- /*
What a managed webhook's failurePolicy is: the pinned one, else the one in force, else Ignore. Helm sets a field that the
chart writes to the chart's value, whoever changed it since. So an upgrade asks the cluster, and writes what is there;
where no cluster can be asked (helm template, GitOps) it is Ignore, and raised again once the canary was refused.
*/ -}}
{{- define "waywarden.failurePolicy" -}}
{{- $policy := .root.Values.failurePolicy -}}
{{- if eq $policy "managed" -}}
{{- $policy = "Ignore" -}}
{{- $live := lookup "admissionregistration.k8s.io/v1" .kind "" (include "waywarden.fullname" .root) | default dict -}}
{{- range $live.webhooks -}}
{{- if eq .name $.webhook }}{{ $policy = .failurePolicy }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $policy -}}
{{- end -}}
