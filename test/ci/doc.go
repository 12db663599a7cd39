// Package ci runs what users put into their pipelines: the scripts of the GitHub Action, and the pre-commit hook.
package ci
