"""The participant's page: one small HTML document that works offline, without JavaScript, in French and English."""
