"""What is known about the people beside their images: tables joined to subjects and visits before identities go."""
