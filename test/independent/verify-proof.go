// Checks a proof that `sluice decisions prove` wrote. It shares no code with Sluice: signed notes and Merkle trees are those of the Go
// checksum database (golang.org/x/mod/sumdb), the rest is the standard library.
//
//	go run verify-proof.go KEY decision.proof.json
package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proofFile struct {
	Format     string `json:"format"`
	DecisionID string `json:"decision_id"`
	Records    []struct {
		Lines     []string `json:"lines"`
		TlogProof string   `json:"tlog_proof"`
	} `json:"records"`
}

var hashed = regexp.MustCompile(`^(\{.*?"v":2),"hash":"([0-9a-f]{64})",("payload":.*)$`)

// checkLine returns hash and commitment of a line of the journal.
func checkLine(line string) (digest [32]byte, commitment, payload string, err error) {
	m := hashed.FindStringSubmatch(line)
	if m == nil {
		return digest, "", "", errors.New("not a line of version 2")
	}
	digest = sha256.Sum256([]byte(m[1] + "}"))
	if hex.EncodeToString(digest[:]) != m[2] {
		return digest, "", "", errors.New("hash differs")
	}
	c := sha256.Sum256([]byte("{" + m[3]))
	commitment = hex.EncodeToString(c[:])
	if !strings.Contains(m[1], `"c":"`+commitment+`"`) {
		return digest, "", "", errors.New("commitment differs")
	}
	return digest, commitment, m[3], nil
}

func checkRecord(lines []string, proof string, verifier note.Verifier) (string, error) {
	last := lines[len(lines)-1]
	digest, _, payload, err := checkLine(last)
	if err != nil {
		return "", err
	}
	for _, line := range lines[:len(lines)-1] {
		_, commitment, _, err := checkLine(line)
		if err != nil {
			return "", err
		}
		if !strings.Contains(payload, `"`+commitment+`"`) {
			return "", errors.New("the record does not refer to a document")
		}
	}
	head, signed, found := strings.Cut(proof, "\n\n")
	parts := strings.Split(head, "\n")
	if !found || len(parts) < 2 || parts[0] != "c2sp.org/tlog-proof@v1" {
		return "", errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(parts[1], "index "), 10, 64)
	if err != nil {
		return "", err
	}
	var path tlog.RecordProof
	for _, part := range parts[2:] {
		h, err := tlog.ParseHash(part)
		if err != nil {
			return "", err
		}
		path = append(path, h)
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier))
	if err != nil {
		return "", err
	}
	text := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(text[1], 10, 64)
	if err != nil {
		return "", err
	}
	raw, err := base64.StdEncoding.DecodeString(text[2])
	if err != nil {
		return "", err
	}
	var root tlog.Hash
	copy(root[:], raw)
	if err := tlog.CheckRecord(path, size, root, index, tlog.RecordHash(digest[:])); err != nil {
		return "", err
	}
	return fmt.Sprintf("record %d of %d in %s", index+1, size, text[0]), nil
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	if err != nil {
		fail(err)
	}
	bytes, err := os.ReadFile(os.Args[2])
	if err != nil {
		fail(err)
	}
	var file proofFile
	if err := json.Unmarshal(bytes, &file); err != nil {
		fail(err)
	}
	if file.Format != "sluice-decision-proof/1" || len(file.Records) == 0 {
		fail(errors.New("not a proof"))
	}
	for _, r := range file.Records {
		where, err := checkRecord(r.Lines, r.TlogProof, verifier)
		if err != nil {
			fail(err)
		}
		fmt.Println("holds:", where)
	}
}

func fail(err error) {
	fmt.Println("does not hold:", err)
	os.Exit(1)
}
