// Package recipes has configurations of other programs that take the events of
// cfaudit, and tests that run each with its program, where there is one:
//
//	make recipes
package recipes
