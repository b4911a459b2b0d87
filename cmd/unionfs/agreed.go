package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

// agreed asks people; programs have said what they want by calling.
func agreed(cmd *cobra.Command, question string) bool {
	if !isTerminal(os.Stdin) {
		return true
	}
	return agreedToLose(cmd, question)
}

// agreedToLose is about data that can't be had again: it asks whoever is there, as
// docker's does, and who says nothing hasn't agreed.
func agreedToLose(cmd *cobra.Command, question string) bool {
	fmt.Fprint(cmd.OutOrStdout(), question+" [y/N] ")
	var answer string
	_, _ = fmt.Fscanln(cmd.InOrStdin(), &answer)
	if !isTerminal(os.Stdin) {
		fmt.Fprintln(cmd.OutOrStdout()) // where people end the line
	}
	return answer == "y" || answer == "Y" || answer == "yes"
}
