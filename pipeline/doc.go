// Package pipeline turns one script of several stages into the jobs of a run.
//
// A line
//
//	#RINK stage NAME [sbatch options] [--needs=a,b]
//
// begins a stage, whose body runs to the next such line. What stands before
// the first stage, the head, runs at the head of each stage, and the options
// on its directive lines apply to all of them; a stage's own options win. A
// stage may go on with #RINK or #SBATCH lines before its first command: they
// are that stage's options, as if they stood on its line.
//
// A stage starts when every stage it needs has ended well: it depends on each
// of them with afterok. All stages of a script are submitted together, all or
// none, and make up a Run, which has an id such as RUN-20261123-0001.
//
// The order of use: HasStages says whether a script is a pipeline at all, Parse
// reads it, Order says in which order to submit, Text is what each job runs.
package pipeline
