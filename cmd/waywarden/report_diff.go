package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/waywarden/waywarden/audit/attest"
	"github.com/waywarden/waywarden/audit/compliance"
	"github.com/waywarden/waywarden/audit/report"
)

func newReportDiff(e *env) *cobra.Command {
	output := outputFlag{value: "text", allowed: []string{"text", "json", "yaml"}}
	exitCode := false
	cmd := &cobra.Command{
		Use:   "diff EARLIER LATER",
		Short: "Say what differs between two saved reports: what is new, what is gone, and how long it took",
		Example: examples(e, `
waywarden report -o json --out monday.json

# a week later
waywarden report -o json --out next-monday.json
waywarden report diff monday.json next-monday.json`),
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, files []string) error {
			from, err := readReport(files[0])
			if err != nil {
				return err
			}
			to, err := readReport(files[1])
			if err != nil {
				return err
			}
			diff, err := compliance.Compare(from, to)
			if err != nil {
				return err
			}
			if output.value == "text" {
				err = compliance.DiffText(e.stdout, diff)
			} else {
				err = output.write(e.stdout, diff)
			}
			if err != nil {
				return failed(fmt.Errorf("write what differs: %w", err))
			}
			if exitCode && len(diff.New) > 0 {
				return end(report.StatusFindings)
			}
			return nil
		},
	}
	output.add(cmd)
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "end with status 1 where anything is new")
	return cmd
}

func readReport(file string) (*compliance.Report, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read a saved report: %w", err)
	}
	r, err := compliance.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return r, nil
}

// signatureOf is where the signature of a report's file is.
func signatureOf(file string) string { return file + ".intoto.json" }

// sign signs a report that was written to a file.
func sign(ctx context.Context, keyFile, file string, r *compliance.Report) error {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("--sign: %w", err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the report again: %w", err)
	}
	envelope, err := attest.Sign(ctx, key, filepath.Base(file), data, r)
	if err != nil {
		return fmt.Errorf("--sign %s: %w", keyFile, err)
	}
	return writeWhole(signatureOf(file), func(w io.Writer) error {
		_, err := w.Write(append(envelope, '\n'))
		return err
	})
}

func newReportVerify(e *env) *cobra.Command {
	var keyFile, signature string
	cmd := &cobra.Command{
		Use:   "verify FILE --key PUBLIC-KEY",
		Short: "Check who signed a report, and that nobody has changed it since",
		Long: `Check who signed a report, and that nobody has changed it since. The signature is beside it, in FILE.intoto.json, or where
--signature says. It is an in-toto statement in a DSSE envelope, which other tools read as well.

Exit status: 0 the signature holds; 1 it does not; 2 wrong usage, or nothing to read.`,
		Example: examples(e, `
openssl genpkey -algorithm ed25519 -out key.pem
openssl pkey -in key.pem -pubout -out key.pub

waywarden report -o html --out report.html --sign key.pem
waywarden report verify report.html --key key.pub`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if signature == "" {
				signature = signatureOf(args[0])
			}
			var read [3][]byte
			for i, file := range []string{keyFile, signature, args[0]} {
				data, err := os.ReadFile(file)
				if err != nil {
					return fmt.Errorf("verify a report: %w", err)
				}
				read[i] = data
			}
			v, err := attest.Verify(cmd.Context(), read[0], read[1], read[2])
			if err != nil {
				return &exit{report.StatusFindings, fmt.Errorf("%s: %w", args[0], err)}
			}
			_, err = fmt.Fprintf(e.stdout, "%s was signed with key %s and is unchanged.\nIt says %s, by checks %s and controls %s.\n%s\n",
				args[0], v.KeyID, v.Result, v.Checks, v.Catalogue, compliance.Notice)
			return err
		},
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "the public key, ed25519 or ECDSA in PEM (required)")
	cmd.Flags().StringVar(&signature, "signature", "", "where the signature is (default: FILE.intoto.json)")
	if err := cmd.MarkFlagRequired("key"); err != nil {
		panic(err) // the flag has just been added
	}
	return cmd
}
