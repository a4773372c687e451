/* All traces of the file `traces`, one a line, as a tree: each place in it is the beginning of a trace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct place {
    char *step;
    int parent, first_child, next_sibling;
    int is_end;  /* of a trace */
    int reached; /* by a run of the model */
    int allowed; /* a run of the model ends here too */
};

static struct place *places;
static int count;

static int child(int parent, const char *step)
{
    int place = places[parent].first_child;
    while (place && strcmp(places[place].step, step) != 0)
        place = places[place].next_sibling;
    return place;
}

static int add(int parent, char *step)
{
    if (count % 1024 == 0)
        places = realloc(places, (count + 1024) * sizeof *places);
    places[count] = (struct place){.step = step, .parent = parent};
    if (count > 0) {
        places[count].next_sibling = places[parent].first_child;
        places[parent].first_child = count;
    }
    return count++;
}

static void print_steps(int place)
{
    if (place == 0)
        return;
    print_steps(places[place].parent);
    printf(" %s", places[place].step);
}

/* How many traces the model allows, and the steps of the others. The first one that it does not allow is in
 * brackets. */
static void report(void)
{
    int traces = 0, allowed = 0;
    for (int place = 0; place < count; place++) {
        traces += places[place].is_end;
        allowed += places[place].is_end && places[place].allowed;
    }
    printf("traces: %d allowed: %d\n", traces, allowed);
    for (int place = 1; place < count; place++) {
        int first = !places[place].reached && places[places[place].parent].reached;
        int unfinished = places[place].is_end && places[place].reached && !places[place].allowed;
        if (!first && !unfinished)
            continue;
        printf("refused:");
        print_steps(first ? places[place].parent : place);
        printf(" [%s]\n", first ? places[place].step : "the end");
    }
}

static void load(void)
{
    FILE *file = fopen("traces", "r");
    char *line = NULL;
    size_t size = 0;
    if (!file) {
        perror("traces");
        exit(2);
    }
    add(0, "");
    places[0].reached = 1;
    while (getline(&line, &size, file) > 0) {
        int place = 0;
        for (char *step = strtok(line, " \n"); step; step = strtok(NULL, " \n")) {
            int next = child(place, step);
            place = next ? next : add(place, strdup(step));
        }
        places[place].is_end = 1;
    }
    fclose(file);
    atexit(report);
}

/* The place after a step, or -1 if no trace goes on so. */
static int follow(int place, const char *process, int number, const char *call, int login)
{
    const char *form = !*call ? "%s%d" : login < 0 ? "%s%d.%s" : "%s%d.%s%d";
    char step[64];
    if (!places)
        load();
    snprintf(step, sizeof step, form, process, number, call, login);
    place = place < 0 ? 0 : child(place, step);
    places[place].reached = 1;
    return place > 0 ? place : -1;
}

/* Whether a trace goes on with a step of this process. */
static int is_next(int place, const char *process, int number)
{
    char start[64];
    int next, length = snprintf(start, sizeof start, "%s%d.", process, number);
    if (place < 0)
        return 0;
    for (next = places[place].first_child; next; next = places[next].next_sibling)
        if (strncmp(places[next].step, start, length) == 0)
            return 1;
    return 0;
}

static void all_done(int place)
{
    if (place >= 0)
        places[place].allowed = 1;
}
