// Package method has two actors of a fault run: an instance, which serves methods, and a caller. Both write down what they do and see.
package method
