"""Where frames come from, and who trains, who is gallery, who is probe."""
