"""From the index to the samples that a model is to see; every doubt is raised here."""
