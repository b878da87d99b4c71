<?php

declare(strict_types=1);

namespace Shop;

use Proletarier\EventInterface;

/**
 * A function as a listener: makes a report, which takes its time.
 */
function report(EventInterface $event): void
{
    usleep(200_000);
    printf("report: %s is done, asked for at %s\n", $event->getParam('title'), $event->getTriggeredAt()->format('H:i:s.v'));
}
