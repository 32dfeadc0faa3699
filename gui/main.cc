// assay-viewer: shows a database.
int main() { return 2; }
