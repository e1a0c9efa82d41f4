package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/eksafe/eksafe/internal/control"
	"github.com/eksafe/eksafe/internal/control/admission"
	"github.com/eksafe/eksafe/internal/control/all"
)

func (a *app) controlsExport() *cobra.Command {
	var asked bool
	var o admission.Options
	cmd := &cobra.Command{
		Use:   "export --admission [ID…]",
		Short: "Write controls as policies of the API server",
		Long: `Export writes controls that one object alone can tell of as a
ValidatingAdmissionPolicy and its binding each: the API server then warns of, or
refuses, what an audit would find. Without an ID all such controls are written.
Comments say where a policy decides otherwise than its control.

The platform's namespaces are left out, unless --namespace-selector names those
that are held to the policies. The Pod Security Standards are not among them: the
API server enforces them in a namespace with the label
pod-security.kubernetes.io/enforce.`,
		Example: `  eksafe controls export --admission --action Warn | kubectl apply -f -
  eksafe controls export --admission --namespace-selector stage=prod root-readonly`,
		Args: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !asked:
				return &usageError{cmd.CommandPath(), errors.New("say what to export: --admission")}
			case !slices.Contains(admission.Actions, o.Action):
				return &usageError{cmd.CommandPath(), fmt.Errorf("unknown --action %q: use %s", o.Action, strings.Join(admission.Actions, ", "))}
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var out []string
			for _, c := range admission.Having(all.All()) {
				out = append(out, cobra.CompletionWithDesc(c.ID, c.Title))
			}
			return out, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, ids []string) error {
			chosen := admission.Having(all.All())
			if len(ids) > 0 {
				chosen = nil
				for _, id := range ids {
					c, ok := all.ByID(id)
					if !ok {
						return unknownControl(id, &declared{})
					}
					if !slices.Contains(chosen, c) {
						chosen = append(chosen, c)
					}
				}
				slices.SortFunc(chosen, func(x, y *control.Control) int { return strings.Compare(x.ID, y.ID) })
			}
			policies, err := admission.Write(chosen, o)
			if err != nil {
				return err
			}
			_, err = a.Stdout.Write(policies)
			return err
		},
	}
	cmd.Flags().BoolVar(&asked, "admission", false, "as ValidatingAdmissionPolicy and ValidatingAdmissionPolicyBinding")
	cmd.Flags().StringVar(&o.Action, "action", "Deny", "what the API server `does`: Deny, Warn, Audit")
	cmd.Flags().StringVar(&o.NamespaceSelector, "namespace-selector", "", "the `labels` of the namespaces that are held to it; else all but the platform's")
	completeFixed(cmd, "action", admission.Actions...)
	return cmd
}
