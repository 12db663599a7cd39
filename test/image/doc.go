// Package image builds what the image holds, as the Dockerfile says, without Docker.
package image
