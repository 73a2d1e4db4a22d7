"""DAGs to start from: copy one into your DAGs folder and change what is yours."""
