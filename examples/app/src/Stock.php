<?php

declare(strict_types=1);

namespace Shop;

use Proletarier\EventInterface;
use Proletarier\Exception\Unrecoverable;

/**
 * Takes what was ordered out of the stock. Its first attempt finds the warehouse busy: the retry is Proletarier's affair.
 */
final class Stock
{
    public function __invoke(EventInterface $event): void
    {
        $quantity = $event->getParam('quantity', 0);
        if ($quantity < 1) {
            // Another attempt would end alike.
            throw new Unrecoverable("an order of $quantity articles");
        }
        if ($event->getAttempt() === 1) {
            throw new \RuntimeException('the warehouse is busy');
        }
        printf("stock: took %d x %s, in attempt %d\n", $quantity, $event->getParam('article'), $event->getAttempt());
    }
}
