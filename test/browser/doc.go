// Package browser looks at the HTML report with a real browser. Its tests have the build tag browser and need chromium, or Chrome,
// and pdftotext.
package browser
