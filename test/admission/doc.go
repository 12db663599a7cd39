// Package admission holds what `waywarden serve` does to a real API server: what is denied, warned about and repaired,
// and that nothing else is touched.
package admission
