package policies

// BreakGlassAnnotation asks to be admitted whatever Guardrails say; its value is the reason. For a deletion it stands on the
// stored object.
const BreakGlassAnnotation = "waywarden.dev/break-glass"
