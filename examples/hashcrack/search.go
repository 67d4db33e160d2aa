package main

import (
	"crypto/sha1" //nolint:gosec // its size alone
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
)

// A search is for one hash among all words of 1 to length letters. Words are numbered: the shorter first, then in the alphabet's order.
type search struct {
	hash     string
	alphabet []rune
	length   int
	batch    uint64
	counts   []uint64 // how many words have 1 letter, 2 letters …
}

// A batch is a job: some words in a row.
type batch struct {
	Hash     string `json:"hash"`
	Alphabet string `json:"alphabet"`
	From     uint64 `json:"from"`
	Count    uint64 `json:"count"`
}

// An answer is what a worker found in its batch, and how much it tried.
type answer struct {
	Found string `json:"found,omitempty"`
	Tried uint64 `json:"tried"`
}

func newSearch(hash, alphabet string, length int, size uint64) (*search, error) {
	if sum, err := hex.DecodeString(hash); err != nil || len(sum) != sha1.Size {
		return nil, fmt.Errorf("-hash: want %d hexadecimal digits", 2*sha1.Size)
	}
	letters := []rune(alphabet)
	sorted := slices.Clone(letters)
	slices.Sort(sorted)
	if len(letters) == 0 || len(slices.Compact(sorted)) < len(letters) {
		return nil, errors.New("-alphabet: want letters, each once")
	}
	if length < 1 || size < 1 {
		return nil, errors.New("-length and -batch: want 1 or more")
	}
	s := &search{hash: hash, alphabet: letters, length: length, batch: size}
	if s.counts = countWords(uint64(len(letters)), length); s.counts == nil {
		return nil, errors.New("-length: there are more words than can be numbered")
	}
	return s, nil
}

// countWords says how many words there are of each length; nil where their numbers don't fit.
func countWords(letters uint64, length int) []uint64 {
	counts := make([]uint64, length)
	words, total := uint64(1), uint64(0)
	for i := range counts {
		var over, carry uint64
		over, words = bits.Mul64(words, letters)
		total, carry = bits.Add64(total, words, 0)
		if over != 0 || carry != 0 {
			return nil
		}
		counts[i] = words
	}
	return counts
}

// total is how many words there are.
func (s *search) total() uint64 {
	var total uint64
	for _, n := range s.counts {
		total += n
	}
	return total
}

// batches is what the ventilator makes: every word once.
func (s *search) batches() iter.Seq[batch] {
	return func(yield func(batch) bool) {
		for from, total := uint64(0), s.total(); from < total; {
			n := min(s.batch, total-from)
			if !yield(batch{s.hash, string(s.alphabet), from, n}) {
				return
			}
			from += n
		}
	}
}

// words are the words of a batch. Each is only good until the next.
func (b *batch) words() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		letters := []rune(b.Alphabet)
		digits := digitsOf(b.From, uint64(len(letters)))
		var word []byte
		for range b.Count {
			word = word[:0]
			for _, d := range digits {
				word = append(word, string(letters[d])...)
			}
			if !yield(word) {
				return
			}
			digits = next(digits, len(letters))
		}
	}
}

// digitsOf is the word of a number, as places in the alphabet.
func digitsOf(number, letters uint64) []int {
	length, words := 1, letters
	for number >= words {
		number -= words
		words *= letters
		length++
	}
	digits := make([]int, length)
	for i := range slices.Backward(digits) {
		digits[i] = int(number % letters)
		number /= letters
	}
	return digits
}

// next is the word that follows, longer by a letter after the last of its length.
func next(digits []int, letters int) []int {
	for i := range slices.Backward(digits) {
		if digits[i]++; digits[i] < letters {
			return digits
		}
		digits[i] = 0
	}
	return append(digits, 0)
}
