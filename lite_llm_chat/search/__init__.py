"""Finding conversations: words in, sessions out, the best hit of each with its words marked."""
