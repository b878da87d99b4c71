<?php

declare(strict_types=1);

namespace Proletarier\Listener;

use Proletarier\Exception\Configuration;

/**
 * Where a listener named in the configuration comes from: a service, or a class that is no service. Makes it once, when asked.
 */
final class Source
{
    private ?object $made = null;

    private function __construct(
        private object $container,
        private string $name,
        private bool $isService,
        private string $entry
    ) {
    }

    /**
     * @param string $entry the entry of the configuration, as messages name it
     *
     * @return self|null null where `$name` is neither a service nor a class
     */
    public static function find(object $container, string $name, string $entry): ?self
    {
        $isService = $container->has($name);

        return $isService || class_exists($name) ? new self($container, $name, $isService, $entry) : null;
    }

    /**
     * Whether what it makes can have this method; of a service nothing is known until it is made.
     */
    public function mayHave(string $method): bool
    {
        return $this->isService
            || method_exists($this->name, '__call')
            || (method_exists($this->name, $method) && (new \ReflectionMethod($this->name, $method))->isPublic());
    }

    public function make(): object
    {
        if ($this->made !== null) {
            return $this->made;
        }
        try {
            $made = $this->isService ? $this->container->get($this->name) : new $this->name();
            if (is_object($made)) {
                $this->giveContainer($made);
            }
        } catch (\Throwable $error) {
            $message = sprintf("%s: '%s' could not be made: %s", $this->entry, $this->name, $error->getMessage());

            throw new Configuration($message, 0, $error);
        }
        if (!is_object($made)) {
            throw $this->error(sprintf('gave %s, which is no object', get_debug_type($made)));
        }

        return $this->made = $made;
    }

    public function error(string $what): Configuration
    {
        $kind = $this->isService ? 'service' : 'class';

        return new Configuration(sprintf("%s: the %s '%s' %s", $this->entry, $kind, $this->name, $what));
    }

    /**
     * For AbstractHandler, and for classes with the ServiceLocatorAwareInterface that frameworks had.
     */
    private function giveContainer(object $made): void
    {
        if (!method_exists($made, 'setServiceLocator')) {
            return;
        }
        if (!method_exists($made, 'getServiceLocator') || $made->getServiceLocator() === null) {
            $made->setServiceLocator($this->container);
        }
    }
}
